//! A small server with a heap for each request: whatever handling a request allocates is freed at once
//! when the answer is sent, and what one request needed can be told from its heap.
//!
//!     cargo run --example server             # serves requests of its own, then ends
//!     cargo run --example server -- 7878     # serves http://127.0.0.1:7878/?numbers=3,1,2

use allocator_api2::vec::Vec as VecIn;
use hashbrown::{DefaultHashBuilder, HashMap};
use mimalloc_core::{Heap, MiMalloc};
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Text in the heap of a request.
struct Text<'h>(VecIn<u8, &'h Heap>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.extend_from_slice(part.as_bytes());
        Ok(())
    }
}

/// Sorts the numbers and counts how often each one comes. All of it is in the heap of the request.
fn answer<'h>(heap: &'h Heap, query: &str) -> Result<Text<'h>, &'static str> {
    let mut numbers: VecIn<i64, &Heap> = VecIn::new_in(heap);
    for part in query.split(',').filter(|part| !part.is_empty()) {
        numbers.push(part.trim().parse().map_err(|_| "not a number\n")?);
    }
    numbers.sort_unstable();
    let mut counts = HashMap::with_hasher_in(DefaultHashBuilder::default(), heap);
    for &number in &numbers {
        *counts.entry(number).or_insert(0u32) += 1;
    }
    let mut text = Text(VecIn::new_in(heap));
    numbers.dedup();
    for number in &numbers {
        let _ = writeln!(text, "{number}: {}", counts[number]);
    }
    Ok(text)
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let heap = Heap::new();
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone()?.take(64 * 1024));
    reader.read_line(&mut line)?;
    let query = line.split_whitespace().nth(1).and_then(|path| path.split_once("numbers="));
    let (status, body) = match answer(&heap, query.map_or("", |(_, numbers)| numbers)) {
        Ok(text) => ("200 OK", text),
        Err(error) => {
            let mut text = Text(VecIn::new_in(&heap));
            let _ = text.write_str(error);
            ("400 Bad Request", text)
        }
    };
    let stats = heap.stats();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nX-Blocks: {}\r\nX-Bytes: {}\r\n\
         Connection: close\r\n\r\n",
        body.0.len(),
        stats.live_blocks(),
        stats.live_bytes()
    )?;
    stream.write_all(&body.0)?;
    stream.flush()
    // The heap goes here, and with it everything that is left in it.
}

/// Asks the server, as a browser would.
fn ask(address: std::net::SocketAddr, numbers: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /?numbers={numbers} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).map_or(0, |port| port.parse().expect("a port"));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                if let Err(error) = stream.and_then(serve) {
                    eprintln!("a request failed: {error}");
                }
            });
        }
    });
    if port != 0 {
        println!("serving http://{address}/?numbers=3,1,2");
        server.join().expect("the server ended");
        return Ok(());
    }
    let clients: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || -> io::Result<()> {
                for _ in 0..50 {
                    let text = ask(address, "3,1,2,3")?;
                    assert!(text.ends_with("\r\n\r\n1: 1\n2: 1\n3: 2\n"), "{text}");
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client ended")?;
    }
    let wrong = ask(address, "one")?;
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    println!("{}", ask(address, "5,4,5")?);
    println!("200 requests, {} heaps made", mimalloc_core::stats().heaps.total);
    Ok(())
}
