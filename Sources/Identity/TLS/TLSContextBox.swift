import Synchronization

/// The TLS context for new connections. Existing connections keep the one that they started with.
public final class TLSContextBox: Sendable {
    private let context: Mutex<TLSContext>

    /// Makes a box with the first context.
    ///
    /// - Parameter context: The context until it is replaced.
    public init(_ context: TLSContext) { self.context = Mutex(context) }

    public var current: TLSContext { context.withLock { $0 } }

    /// Replaces the context for connections that start from now on.
    ///
    /// - Parameter newer: The new context.
    public func replace(with newer: TLSContext) { context.withLock { $0 = newer } }
}
