import Wire

/// Matches responses to requests on a connection with many requests in flight (the client's side).
///
/// `Waiter` is the shell's reference to a request: a continuation, or a case of an enumeration.
package struct RequestMultiplexer<Waiter> {
    private var nextID: UInt64 = 2
    private var waiting: [UInt64: Waiter] = [:]

    package init() {}

    package var isEmpty: Bool { waiting.isEmpty }

    /// Registers a request and returns its number. Number 0 is for messages that need no response, 1 for the hello.
    package mutating func add(_ waiter: Waiter) -> UInt64 {
        defer { nextID += 1 }
        waiting[nextID] = waiter
        return nextID
    }

    /// Removes and returns the waiter for the response with this number; `nil` if none waits, because the response is
    /// unsolicited or a duplicate.
    package mutating func take(_ id: UInt64) -> Waiter? { waiting.removeValue(forKey: id) }

    /// Removes and returns all waiters in the order of their requests, when the connection has ended.
    package mutating func takeAll() -> [Waiter] {
        defer { waiting = [:] }
        return waiting.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension RequestMultiplexer: Sendable where Waiter: Sendable {}
