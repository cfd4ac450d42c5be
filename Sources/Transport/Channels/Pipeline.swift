import Identity
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wire

#if canImport(Glibc)
    import Glibc
#endif

/// A connection's channel as an async sequence of frames, with the certificate from its handshake.
final class SecureChannel<Inbound: WireFrame, Outbound: WireFrame>: Sendable {
    let limit: FrameLimit
    private let certificate: EventLoopFuture<Certificate>
    private let frames: NIOAsyncChannel<Inbound, Outbound>
    private let isTaken = NIOLockedValueBox(false)

    var channel: any Channel { frames.channel }

    /// Builds the pipeline; must run on the channel's event loop.
    init(_ channel: any Channel, _ context: TLSContext, behind proxy: ConnectHandler? = nil) throws {
        let promise = channel.eventLoop.makePromise(of: Certificate.self)
        limit = FrameLimit()
        certificate = promise.futureResult
        do {
            if let proxy { try channel.pipeline.syncOperations.addHandler(proxy) }
            let tls = try TLSHandler(context, handshaken: promise)
            try channel.pipeline.syncOperations.addHandlers(tls, FrameCodec<Inbound, Outbound>(limit: limit))
        } catch {
            promise.fail(error)
            throw error
        }
        let strategy = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
            lowWatermark: TransportLimits.framesInFlight / 2,
            highWatermark: TransportLimits.framesInFlight
        )
        frames = try NIOAsyncChannel(
            wrappingChannelSynchronously: channel,
            configuration: .init(
                backPressureStrategy: strategy,
                inboundType: Inbound.self,
                outboundType: Outbound.self
            )
        )
    }

    /// Returns the peer's certificate once the handshake is done. A cancelled task does not wait for a handshake that
    /// hangs.
    func peerCertificate() async throws -> Certificate {
        try await withTaskCancellationHandler {
            try await certificate.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Passes both directions to `body`, and closes the connection afterwards.
    func executeThenClose<Result: Sendable>(
        _ body: (NIOAsyncChannelInboundStream<Inbound>, NIOAsyncChannelOutboundWriter<Outbound>) async throws -> Result
    ) async throws -> Result {
        isTaken.withLockedValue { $0 = true }
        return try await frames.executeThenClose { try await body($0, $1) }
    }

    /// Closes a channel that was never used: when a listener stops, it may drop a peer that has just connected, and NIO
    /// traps if a channel is never closed.
    deinit {
        guard !isTaken.withLockedValue({ $0 }) else { return }
        Task { [frames] in try await frames.executeThenClose { _, _ in } }
    }
}

/// Options that all sockets share.
enum SocketOptions {
    // Small at first, because each connection has its own buffer and most connections are idle.
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 2048, maximum: 65_536)
    /// How many outbound bytes of one of a coordinator's many connections may wait for the socket before writers are
    /// suspended.
    static let writeWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 128 * 1024, high: 256 * 1024)
    /// The same for a client, which has only one or two connections: the next chunk is ready while one is sent.
    static let clientWriteWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 512 * 1024, high: 1024 * 1024)

    /// TCP keep-alive: after 30 s of silence the peer is probed, and the connection is closed after about a minute
    /// without an answer. If the link recovers within that time, the connection continues.
    static let keepAlive: [(ChannelOptions.Types.SocketOption, ChannelOptions.Types.SocketOption.Value)] = [
        (.init(level: .init(SOL_SOCKET), name: .init(SO_KEEPALIVE)), 1),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPIDLE)), 30),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPINTVL)), 10),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPCNT)), 3),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_USER_TIMEOUT)), 60_000),
    ]
}
