//! The files that are installed: the built image, which is the one that `MSLSO_DRIVER` names, and the INF. Without
//! that variable the tests of the image end at once.

mod broken_image;
mod inf;
mod pe_file;
mod stack;
