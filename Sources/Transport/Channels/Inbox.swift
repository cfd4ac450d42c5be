import NIOCore
import Wire

/// The sequence of frames that arrive on a connection.
package final class Inbox<Frame: WireFrame>: @unchecked Sendable {
    // Unchecked: a connection has one reader at a time, and the stream allows only one iterator.
    private var iterator: NIOAsyncChannelInboundStream<Frame>.AsyncIterator

    init(_ stream: NIOAsyncChannelInboundStream<Frame>) { iterator = stream.makeAsyncIterator() }

    /// Returns the next frame; `nil` when the peer has closed the connection.
    ///
    /// - Throws: If the connection fails.
    package func next() async throws -> Frame? { try await iterator.next() }
}
