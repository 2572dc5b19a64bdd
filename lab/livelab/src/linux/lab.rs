//! Hosts with guests on a network, at work: what every kind of live traffic starts from.
#![expect(unsafe_code, reason = "starts the driver, and lets go of it in time")]

use std::fs::File;
use std::marker::PhantomData;
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};

use model::host::{Guest, Host, migrate};
use model::{Backing, Config, LargeSendLimits, Nic, World};

use control::{StatisticsReply, keyword};

use super::counters::Counters;
use super::datapath::{Datapath, Request, Sample};
use super::doing::Doing;
use super::incoming::receive_side;
use super::netlink::Netlink;
use super::network::{Network, Shape, Station, VETH_MOST};
use super::virtual_nic::{Port, VirtualNic};
use super::wire::{Capture, LabWire, WireFaults};
use crate::args::SecondStage;
use crate::error::Error;
use harness::device;
use harness::driver::Driver;
use harness::machine::turned_on;

/// A host's NIC and what its filter is set to.
#[derive(Clone, Copy, Debug)]
pub struct HostPlan {
    /// Bytes of TCP payload in the largest large send that the NIC accepts.
    pub nic_max: u32,
    /// The least segments of one.
    pub min_segments: u32,
    /// The multiple in the registry; none leaves the driver its default.
    pub multiple: Option<u32>,
}

/// The configuration of a lab.
#[derive(Clone)]
pub struct LabPlan {
    /// Its network.
    pub shape: Shape,
    /// Its hosts; guests begin on the first.
    pub hosts: Vec<HostPlan>,
    /// The stage that segments large sends.
    pub stage: SecondStage,
    /// How much is compared.
    pub sample: Sample,
    /// How the guests' memory is held.
    pub backing: Backing,
    /// Where what leaves the NICs is written.
    pub capture: Option<Capture>,
    /// The faults of the wire, if any.
    pub faults: Option<WireFaults>,
}

pub struct HostAtWork {
    pub host: Arc<Host>,
    /// Held for reading by each send, and for writing while the filter is detached.
    pub sending: Arc<RwLock<()>>,
    requests: Sender<Request>,
    thread: JoinHandle<Result<(), Error>>,
}

impl HostAtWork {
    /// The machine below its switch.
    pub fn world(&self) -> &Arc<World> {
        self.host.world()
    }
}

/// A lab at work. The driver outlives it.
pub struct Lab<'driver> {
    /// Stations and cables.
    pub network: Network,
    pub hosts: Vec<HostAtWork>,
    /// The guests, as entries of their switches.
    pub guests: Vec<Guest>,
    /// The lab's counters.
    pub counters: Arc<Counters>,
    /// How guests' large sends change.
    pub changes: Receiver<LargeSendLimits>,
    stop: Arc<AtomicBool>,
    incoming: Option<JoinHandle<Result<(), Error>>>,
    driver: PhantomData<&'driver Driver>,
}

/// The results of a lab.
pub struct LabEnd {
    /// The counters of each host's filter, as its device reports them.
    pub statistics: Vec<StatisticsReply>,
    /// Faults, in one line each.
    pub wrong: Vec<String>,
}

impl<'driver> Lab<'driver> {
    /// Builds the network, starts the driver on each host, and sets them to work.
    pub fn start(driver: &'driver Driver, plan: &LabPlan) -> Result<Self, Error> {
        let network = Network::build(plan.shape)?;
        let (changes_to, changes) = mpsc::channel();
        let mut lab = Self {
            network,
            hosts: Vec::new(),
            guests: Vec::new(),
            counters: Arc::default(),
            changes,
            stop: Arc::default(),
            incoming: None,
            driver: PhantomData,
        };
        for (number, host) in plan.hosts.iter().enumerate() {
            let name = format!("host {}", number + 1);
            let at_work = lab.start_host(driver, &name, *host, plan)?;
            lab.hosts.push(at_work);
        }
        lab.connect_guests(&changes_to)?;
        lab.incoming = Some(lab.receive());
        Ok(lab)
    }

    fn start_host(
        &self,
        driver: &'driver Driver,
        name: &str,
        plan: HostPlan,
        lab: &LabPlan,
    ) -> Result<HostAtWork, Error> {
        let mut config = turned_on(Config {
            mtu: Some(lab.shape.mtu),
            ..Config::with_nic(Nic::new(plan.nic_max, plan.min_segments))
        });
        let multiple = plan.multiple.map(|of| (keyword::MULTIPLE.to_owned(), of));
        config.parameters.extend(multiple);
        let world = World::new(config);
        let mut wire = LabWire::new(
            Arc::clone(&self.network.directory),
            lab.stage,
            Arc::clone(&self.counters),
        );
        wire.capture.clone_from(&lab.capture);
        wire.faults.clone_from(&lab.faults);
        world.set_wire(wire);
        // SAFETY: the lab has the world, and ends its threads before the driver's borrow does.
        unsafe { driver.start(&world) }?;
        let host = Arc::new(Host::new(name, world));
        let (requests, to_follow) = mpsc::channel();
        let mut datapath = Datapath::new(Arc::clone(&host), to_follow, Arc::clone(&self.counters));
        datapath.stop = Arc::clone(&self.stop);
        datapath.sample = lab.sample;
        datapath.backing = lab.backing;
        let sending = Arc::clone(&datapath.sending);
        Ok(HostAtWork {
            host,
            sending,
            requests,
            thread: thread::spawn(move || datapath.run()),
        })
    }

    /// Connects every guest to the first host's switch.
    fn connect_guests(&mut self, changes: &Sender<LargeSendLimits>) -> Result<(), Error> {
        let first = &self.hosts[0];
        for (station, (mac, socket)) in self
            .network
            .guests
            .iter()
            .zip(&self.network.directory.guests)
        {
            let guest = first.host.add_guest(&station.name, *mac);
            let port = Port {
                guest: guest.clone(),
                socket: Arc::clone(socket),
                nic: VirtualNic {
                    netlink: Netlink::open(&station.namespace)?,
                    device: station.device,
                    partners: self.partners(station),
                    flush: flush(station)?,
                    most: VETH_MOST,
                    applied: None,
                    changes: changes.clone(),
                },
            };
            let _ = first.requests.send(Request::Connect(Box::new(port)));
            self.guests.push(guest);
        }
        Ok(())
    }

    /// The addresses that a guest may have connections with by IPv6.
    fn partners(&self, of: &Station) -> Vec<Ipv6Addr> {
        let network = &self.network;
        let all = network.guests.iter().chain([&network.peer]);
        let others = all.filter(|one| one.mac != of.mac);
        others.map(|one| one.ipv6).collect()
    }

    fn receive(&self) -> JoinHandle<Result<(), Error>> {
        let directory = Arc::clone(&self.network.directory);
        let (stop, counters) = (Arc::clone(&self.stop), Arc::clone(&self.counters));
        thread::spawn(move || {
            let peer = Arc::clone(&directory.peer);
            let guests = |frame: &[u8]| directory.guests_of(frame);
            receive_side(&peer, guests, &stop, &counters)
        })
    }

    /// Waits until every guest has applied the size advertised to it.
    #[must_use]
    pub fn settled(&self, count: usize) -> Vec<LargeSendLimits> {
        let wait = std::time::Duration::from_secs(5);
        let changes = (0..count).map_while(|_| self.changes.recv_timeout(wait).ok());
        changes.collect()
    }

    /// Moves a guest from one host to another, as a hypervisor does: it stops, its sends in flight
    /// complete, and it continues on the other host, which advertises another size.
    pub fn migrate(&self, guest: usize, from: usize, to: usize) {
        let guest = &self.guests[guest];
        let (hand_over, port) = mpsc::channel();
        let (from, to) = (&self.hosts[from], &self.hosts[to]);
        let _ = from
            .requests
            .send(Request::Disconnect(guest.mac(), hand_over));
        if let Ok(port) = port.recv() {
            migrate(guest, &from.host, &to.host);
            let _ = to.requests.send(Request::Connect(Box::new(port)));
        }
    }

    /// Ends all work, and stops the drivers.
    ///
    /// # Errors
    ///
    /// What went wrong on a thread, or a driver does not answer.
    pub fn stop(mut self) -> Result<LabEnd, Error> {
        self.stop.store(true, Relaxed);
        let mut end = LabEnd {
            statistics: Vec::new(),
            wrong: Vec::new(),
        };
        if let Some(incoming) = self.incoming.take() {
            joined(incoming)?;
        }
        let directory = &self.network.directory;
        let sockets = directory.guests.iter().map(|(_, socket)| socket);
        for socket in sockets.chain([&directory.peer]) {
            self.counters.overflown.add(socket.overflown());
        }
        for host in self.hosts.drain(..) {
            joined(host.thread)?;
            let world = host.host.world();
            end.statistics.push(device::statistics(world)?);
            let broken = world.stop();
            let name = host.host.name();
            let lines = broken.iter().map(|rule| format!("{name}: {rule}"));
            end.wrong.extend(lines);
        }
        Ok(end)
    }
}

impl Drop for Lab<'_> {
    /// The driver's code must not run when its borrow is over.
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for host in self.hosts.drain(..) {
            let _ = joined(host.thread);
            let _ = host.host.world().stop();
        }
        if let Some(incoming) = self.incoming.take() {
            let _ = joined(incoming);
        }
    }
}

/// Where a station forgets its IPv4 routes.
fn flush(station: &Station) -> Result<File, Error> {
    const FILE: &str = "/proc/sys/net/ipv4/route/flush";
    station.namespace.inside(|| {
        let file = File::options().write(true).open(FILE);
        file.doing(|| format!("opening {FILE}"))
    })
}

fn joined(thread: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    thread.join().unwrap_or_else(|_| {
        Err(Error::Transfer(
            "a thread of the lab ended early".to_owned(),
        ))
    })
}
