import Synchronization

/// The TLS context for new connections. Existing connections keep the one that they started with.
public final class TLSContextBox: Sendable {
    private let context: Mutex<TLSContext>

    public init(_ context: TLSContext) { self.context = Mutex(context) }

    public var current: TLSContext { context.withLock { $0 } }

    public func replace(with newer: TLSContext) { context.withLock { $0 = newer } }
}
