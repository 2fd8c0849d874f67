//! Checking a document that keeps its definition allocates nothing.
#![expect(unsafe_code, reason = "counts what the allocator of the system is asked for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use selvedge_encoding::{DateTime, DocRef, Value, doc, encode};
use selvedge_schema::{FieldDef, FieldType, NodeDef};

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + 1));
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATED.get();
    work();
    ALLOCATED.get() - before
}

#[test]
fn a_good_document_costs_no_allocation() {
    let def = NodeDef::new("User")
        .key("id")
        .field(FieldDef::uint("id"))
        .field(FieldDef::string("name").length(1..=80))
        .field(FieldDef::int("age").optional().nullable().min(0).max(150))
        .field(FieldDef::float("score").default(0.5).min(0.0))
        .field(FieldDef::new("tags", FieldType::list(FieldType::String)).length(0..=9))
        .field(FieldDef::timestamp("since").min(DateTime::from_micros(0)))
        .field(FieldDef::map("address").optional());
    let (_, def) = def.into_document().expect("makes sense");
    let document = doc! {
        "id": 7, "name": "Alice", "age": 31, "tags": ["a", "b"],
        "since": DateTime::from_micros(1), "address": { "city": "Oslo" },
    };
    let bytes = encode(&document).expect("small");
    let check = || assert!(def.check(DocRef::trusted(&bytes), Some("7")).is_ok());
    assert_eq!(allocations(check), 0);
    assert!(allocations(|| drop(Value::from("it counts"))) > 0);
}
