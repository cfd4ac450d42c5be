import NIOCore
import Wire

/// The frames that arrive on a connection, one after the other.
public final class Inbox<Frame: WireFrame>: @unchecked Sendable {
    // Unchecked: a connection has one reader at a time; the stream allows only one iterator ever.
    private var iterator: NIOAsyncChannelInboundStream<Frame>.AsyncIterator

    init(_ stream: NIOAsyncChannelInboundStream<Frame>) { iterator = stream.makeAsyncIterator() }

    /// The next frame; `nil` when the peer has closed.
    public func next() async throws -> Frame? { try await iterator.next() }
}
