import Wire

/// Which answer belongs to which question, on a connection that carries many: the client's half of a conversation.
///
/// `Waiter` is what the shell knows a question by: a continuation, or a case of an enumeration.
public struct RequestMultiplexer<Waiter> {
    private var nextID: UInt64 = 2
    private var waiting: [UInt64: Waiter] = [:]

    public init() {}

    public var isEmpty: Bool { waiting.isEmpty }

    /// Numbers a question. 0 is for what needs no answer, 1 for the hello.
    public mutating func add(_ waiter: Waiter) -> UInt64 {
        defer { nextID += 1 }
        waiting[nextID] = waiter
        return nextID
    }

    /// Who waits for the answer with this number; `nil`: nobody, it came unasked or twice.
    public mutating func take(_ id: UInt64) -> Waiter? { waiting.removeValue(forKey: id) }

    /// All who still wait, in the order of their questions: the connection is gone.
    public mutating func takeAll() -> [Waiter] {
        defer { waiting = [:] }
        return waiting.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension RequestMultiplexer: Sendable where Waiter: Sendable {}
