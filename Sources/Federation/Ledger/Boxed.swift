/// A large value behind one reference, copied when a shared one is changed.
///
/// The fold holds two campaigns of more than 2 KiB each. Without a box, each copy of the fold would copy them and count
/// dozens of references, and each task that holds such a copy would keep room for it.
@propertyWrapper
struct Boxed<Value> {
    private final class Storage {
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    private var storage: Storage

    init(wrappedValue: Value) { storage = Storage(wrappedValue) }

    var wrappedValue: Value {
        _read { yield storage.value }
        _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.value) }
            yield &storage.value
        }
    }
}

// Unchecked: a storage that others may see is never changed.
extension Boxed: @unchecked Sendable where Value: Sendable {}

extension Boxed: Equatable where Value: Equatable {
    static func == (a: Boxed, b: Boxed) -> Bool { a.storage === b.storage || a.wrappedValue == b.wrappedValue }
}
