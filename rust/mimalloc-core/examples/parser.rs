//! A parser whose tree lives in a heap inside an arena: nodes refer to each other by plain references,
//! nothing is freed one by one, and a document cannot take more memory than the arena has.
//!
//!     cargo run --example parser -- '2 * (3 + 4) - 10 / 5'

use allocator_api2::boxed::Box as BoxIn;
use mimalloc_core::{Arena, Heap, MiMalloc};
use std::fmt;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

enum Node<'t> {
    Number(f64),
    Negative(&'t Node<'t>),
    Binary(char, &'t Node<'t>, &'t Node<'t>),
}

#[derive(Debug, PartialEq)]
enum ParseError {
    Unexpected(Option<char>),
    OutOfMemory,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(Some(c)) => write!(f, "unexpected {c:?}"),
            Self::Unexpected(None) => f.write_str("unexpected end"),
            Self::OutOfMemory => f.write_str("the document is too large"),
        }
    }
}

struct Parser<'t, 's> {
    heap: &'t Heap,
    rest: &'s str,
}

impl<'t> Parser<'t, '_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        self.rest = &self.rest[self.peek().map_or(0, char::len_utf8)..];
    }

    /// A node that lives as long as the heap is borrowed.
    fn node(&self, node: Node<'t>) -> Result<&'t Node<'t>, ParseError> {
        let made = BoxIn::try_new_in(node, self.heap).map_err(|_| ParseError::OutOfMemory)?;
        Ok(BoxIn::leak(made))
    }

    fn sum(&mut self) -> Result<&'t Node<'t>, ParseError> {
        let mut left = self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek() {
            self.skip();
            let right = self.product()?;
            left = self.node(Node::Binary(sign, left, right))?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<&'t Node<'t>, ParseError> {
        let mut left = self.factor()?;
        while let Some(sign @ ('*' | '/')) = self.peek() {
            self.skip();
            let right = self.factor()?;
            left = self.node(Node::Binary(sign, left, right))?;
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<&'t Node<'t>, ParseError> {
        match self.peek() {
            Some('-') => {
                self.skip();
                let inner = self.factor()?;
                self.node(Node::Negative(inner))
            }
            Some('(') => {
                self.skip();
                let inner = self.sum()?;
                match self.peek() {
                    Some(')') => self.skip(),
                    other => return Err(ParseError::Unexpected(other)),
                }
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() => {
                let is_part = |c: char| c.is_ascii_digit() || c == '.';
                let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
                let (number, rest) = self.rest.split_at(end);
                let number = number.parse().map_err(|_| ParseError::Unexpected(Some('.')))?;
                self.rest = rest;
                self.node(Node::Number(number))
            }
            other => Err(ParseError::Unexpected(other)),
        }
    }
}

fn parse<'t>(heap: &'t Heap, text: &str) -> Result<&'t Node<'t>, ParseError> {
    let mut parser = Parser { heap, rest: text };
    let node = parser.sum()?;
    match parser.peek() {
        None => Ok(node),
        other => Err(ParseError::Unexpected(other)),
    }
}

fn value(node: &Node) -> f64 {
    match *node {
        Node::Number(number) => number,
        Node::Negative(inner) => -value(inner),
        Node::Binary(sign, left, right) => {
            let (left, right) = (value(left), value(right));
            match sign {
                '+' => left + right,
                '-' => left - right,
                '*' => left * right,
                _ => left / right,
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "2 * (3 + 4) - 10 / 5".into());
    let arena = Arena::reserve(Arena::min_size())?;
    let heap = arena.heap().ok_or("no memory for a heap")?;
    match parse(&heap, &text) {
        Ok(tree) => println!("{text} = {}", value(tree)),
        Err(error) => println!("{text}: {error}"),
    }

    // A large document, and one that is too large. Each has a heap of its own, in the same memory.
    let large = "1+".repeat(20_000) + "1";
    let heap = arena.heap().ok_or("no memory for a heap")?;
    let tree = parse(&heap, &large).map_err(|error| error.to_string())?;
    println!(
        "{} numbers: {} KiB of nodes, {}",
        20_001,
        heap.stats().live_bytes() / 1024,
        value(tree)
    );
    drop(heap);

    let too_large = "1+".repeat(2_000_000) + "1";
    let heap = arena.heap().ok_or("no memory for a heap")?;
    assert_eq!(parse(&heap, &too_large).err(), Some(ParseError::OutOfMemory));
    println!("2000001 numbers: {}", ParseError::OutOfMemory);
    Ok(())
}
