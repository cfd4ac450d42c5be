import Synchronization

/// The context that new connections are made with. Those that run keep the one that they were made with.
public final class TLSContextBox: Sendable {
    private let context: Mutex<TLSContext>

    public init(_ context: TLSContext) { self.context = Mutex(context) }

    public var current: TLSContext { context.withLock { $0 } }

    public func replace(with newer: TLSContext) { context.withLock { $0 = newer } }
}
