//! The routing table among 100,000 hosts: look-ups, registrations, memory.
//!
//! `cargo bench -p cloverleaf-router --bench table`; the memory figure is printed first and
//! counts what the process has resident, allocator overhead included.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;

use cloverleaf_router::table::{
    Change, ModificationTag, Registration, Settings, SourceId, Table, Writer,
};
use criterion::{BatchSize, Criterion};

const ROUTES: usize = 100_000;

fn main() {
    let world = World::new(Settings::default());
    let mut criterion = Criterion::default().configure_from_args();
    lookups(&mut criterion, &world);
    registrations(&mut criterion, world);
    criterion.final_summary();
}

fn lookups(criterion: &mut Criterion, world: &World) {
    let table = &world.table;
    let mut group = criterion.benchmark_group("look-up");
    group.bench_function("one host", |bencher| {
        let host = host(4711);
        bencher.iter(|| table.lookup(black_box(host.as_bytes()), black_box(b"/some/path")));
    });
    group.bench_function("random hosts", |bencher| {
        let mut random = Random(1);
        bencher.iter_batched(
            // By value, with a port to fill it up: a request's host is in the cache already.
            || {
                let mut sent = [b':'; 48];
                let host = host(random.below(ROUTES));
                sent[..host.len()].copy_from_slice(host.as_bytes());
                sent
            },
            |host| table.lookup(&host, b"/some/path"),
            BatchSize::NumIterations(10_000),
        );
    });
    group.bench_function("wildcard", |bencher| {
        bencher.iter(|| table.lookup(black_box(b"x.y.wild.example.com"), b"/some/path"));
    });
    group.bench_function("unknown host", |bencher| {
        bencher.iter(|| table.lookup(black_box(b"nobody.apps.example.com"), b"/some/path"));
    });
    group.bench_function("one of 500 paths of a host", |bencher| {
        bencher.iter(|| table.lookup(black_box(b"paths.example.com"), b"/service/v1/250/users"));
    });
    group.bench_function("hostile path of 8000 slashes", |bencher| {
        let path = vec![b'/'; 8000];
        bencher.iter(|| table.lookup(b"paths.example.com", black_box(&path)));
    });
    group.bench_function("hostile host of 4000 labels", |bencher| {
        let host = b"a.".repeat(4000);
        bencher.iter(|| table.lookup(black_box(&host), b"/"));
    });
    group.finish();
}

fn registrations(criterion: &mut Criterion, mut world: World) {
    let mut group = criterion.benchmark_group("registration");
    let mut random = Random(2);
    let instances: Vec<_> = (0..ROUTES).map(Instance::new).collect();
    group.bench_function("that changes nothing", |bencher| {
        let writer = &mut world.writer;
        let source = world.source;
        bencher.iter_batched(
            || &instances[random.below(ROUTES)],
            |instance| instance.register(writer, source, 1000),
            BatchSize::NumIterations(100_000),
        );
    });
    let mut next = ROUTES;
    group.bench_function("of a new host", |bencher| {
        let (writer, source) = (&mut world.writer, world.source);
        bencher.iter_batched(
            || {
                next += 1;
                Instance::new(next)
            },
            |instance| instance.register(writer, source, 1000),
            BatchSize::NumIterations(1000),
        );
    });
    group.bench_function("of a new instance, and its end", |bencher| {
        let (writer, source) = (&mut world.writer, world.source);
        let mut port = 0;
        bencher.iter_batched(
            || {
                port += 1;
                let mut instance = Instance::new(random.below(ROUTES));
                instance.port = port;
                instance
            },
            |instance| {
                instance.register(writer, source, 1000);
                instance.unregister(writer, source, 1000);
            },
            BatchSize::NumIterations(1000),
        );
    });
    group.bench_function("of a new path among 500, and its end", |bencher| {
        let (writer, source) = (&mut world.writer, world.source);
        let mut instance = Instance::new(1);
        instance.uri = ["paths.example.com/service/v1/new".into()];
        bencher.iter(|| {
            instance.register(writer, source, 1000);
            instance.unregister(writer, source, 1000);
        });
    });
    group.finish();
}

/// A table with one endpoint a route, a wildcard, and a host with many paths.
struct World {
    table: Arc<Table>,
    writer: Writer,
    source: SourceId,
}

impl World {
    fn new(settings: Settings) -> Self {
        let before = resident();
        let (table, mut writer) = Table::new(settings);
        let source = writer.source("nats");
        let mut strings = 0;
        for number in 0..ROUTES {
            let instance = Instance::new(number);
            instance.register(&mut writer, source, 0);
            strings += instance.strings();
        }
        let bytes = resident().saturating_sub(before) / ROUTES;
        let strings = strings / ROUTES;
        println!("memory: {bytes} bytes a route, {strings} of them its strings");
        let mut world = Self {
            table,
            writer,
            source,
        };
        world.add("*.wild.example.com");
        for number in 0..500 {
            world.add(&format!("paths.example.com/service/v1/{number}"));
        }
        world
    }

    fn add(&mut self, uri: &str) {
        let mut instance = Instance::new(0);
        instance.uri = [uri.to_owned().into()];
        instance.register(&mut self.writer, self.source, 0);
    }
}

/// What a route emitter says about one application instance.
struct Instance {
    uri: [Cow<'static, str>; 1],
    address: String,
    port: u16,
    app: String,
    id: String,
    index: String,
    tags: [(Cow<'static, str>, Cow<'static, str>); 3],
}

impl Instance {
    fn new(number: usize) -> Self {
        let mut random = Random(number as u64);
        let mut hex =
            |digits: usize| format!("{:032x}", random.next() as u128)[32 - digits..].to_owned();
        let app = format!("{}-{}-{}-{}-{}", hex(8), hex(4), hex(4), hex(4), hex(12));
        let id = format!("{}-{}-{}-{}-{}", hex(8), hex(4), hex(4), hex(4), hex(4));
        Self {
            uri: [host(number).into()],
            address: format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255),
            port: 61_000 + (number % 100) as u16,
            id,
            index: "0".into(),
            tags: [
                ("component".into(), "route-emitter".into()),
                ("process_id".into(), app.clone().into()),
                ("source_id".into(), app.clone().into()),
            ],
            app,
        }
    }

    fn register(&self, writer: &mut Writer, source: SourceId, now: u64) {
        let registration = Registration {
            host: &self.address,
            port: self.port,
            app: &self.app,
            instance_id: &self.id,
            instance_index: &self.index,
            availability_zone: "z1",
            tags: &self.tags,
            tags_present: true,
            ..Registration::default()
        };
        let change = Change::Register {
            source,
            uris: &self.uri,
            registration: &registration,
        };
        writer.apply(change, now, &mut |event| {
            black_box(event);
        });
    }

    fn unregister(&self, writer: &mut Writer, source: SourceId, now: u64) {
        let change = Change::Unregister {
            source,
            uris: &self.uri,
            host: &self.address,
            port: self.port,
            modification_tag: ModificationTag::default(),
        };
        writer.apply(change, now, &mut |event| {
            black_box(event);
        });
    }

    fn strings(&self) -> usize {
        let tags = self.tags.iter().map(|(key, value)| key.len() + value.len());
        let address = self.address.len() + ":61000".len();
        let ids = self.app.len() + self.id.len() + self.index.len() + "z1".len();
        self.uri[0].len() + address + ids + tags.sum::<usize>()
    }
}

fn host(number: usize) -> String {
    format!("some-app-{number}.apps.example.com")
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
