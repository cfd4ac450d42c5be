import Identity
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wire

#if canImport(Glibc)
    import Glibc
#endif

/// A connection's channel as an async sequence of frames, and the certificate that its handshake will bring.
final class SecureChannel<Inbound: WireFrame, Outbound: WireFrame>: Sendable {
    let limit: FrameLimit
    private let certificate: EventLoopFuture<Certificate>
    private let frames: NIOAsyncChannel<Inbound, Outbound>
    private let isTaken = NIOLockedValueBox(false)

    var channel: any Channel { frames.channel }

    /// Builds the pipeline; runs on the channel's event loop.
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

    /// The certificate of the peer, as soon as the handshake is done. One that hangs holds up nobody who is cancelled.
    func peerCertificate() async throws -> Certificate {
        try await withTaskCancellationHandler {
            try await certificate.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Lends both directions to `body`, and closes the connection after it.
    func executeThenClose<Result: Sendable>(
        _ body: (NIOAsyncChannelInboundStream<Inbound>, NIOAsyncChannelOutboundWriter<Outbound>) async throws -> Result
    ) async throws -> Result {
        isTaken.withLockedValue { $0 = true }
        return try await frames.executeThenClose { try await body($0, $1) }
    }

    /// A listener that stops drops a peer that has just connected, and NIO ends the process for a channel that is never
    /// closed.
    deinit {
        guard !isTaken.withLockedValue({ $0 }) else { return }
        Task { [frames] in try await frames.executeThenClose { _, _ in } }
    }
}

/// What all our sockets have in common.
enum SocketOptions {
    // Small at first: each connection keeps its own, and most of them wait most of the time.
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 2048, maximum: 65_536)
    /// Outbound bytes of one of a coordinator's many connections that may wait for the socket before writers are held
    /// back.
    static let writeWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 128 * 1024, high: 256 * 1024)
    /// The same of a participant, which has one or two: the next chunk is ready while one is sent.
    static let clientWriteWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 512 * 1024, high: 1024 * 1024)

    /// Asks the kernel to find out that a peer is gone: after 30 s of silence it is probed, and within a minute given
    /// up. A link that is back by then goes on as if nothing had been.
    static let keepAlive: [(ChannelOptions.Types.SocketOption, ChannelOptions.Types.SocketOption.Value)] = [
        (.init(level: .init(SOL_SOCKET), name: .init(SO_KEEPALIVE)), 1),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPIDLE)), 30),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPINTVL)), 10),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_KEEPCNT)), 3),
        (.init(level: .init(IPPROTO_TCP), name: .init(TCP_USER_TIMEOUT)), 60_000),
    ]
}
