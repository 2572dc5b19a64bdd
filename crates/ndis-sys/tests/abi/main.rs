//! The raw ABI: equal to the WDK's, and wholly compared with it.

mod complete;
mod layouts;
mod table;
