import Identity
import NIOCore
import NIOPosix
import Wire

/// A connection's channel as an async sequence of frames, and the certificate that its handshake will bring.
struct SecureChannel<Inbound: WireFrame, Outbound: WireFrame>: Sendable {
    let frames: NIOAsyncChannel<Inbound, Outbound>
    let certificate: EventLoopFuture<Certificate>
    let limit: FrameLimit

    /// Builds the pipeline; runs on the channel's event loop.
    init(_ channel: any Channel, _ context: TLSContext) throws {
        let promise = channel.eventLoop.makePromise(of: Certificate.self)
        limit = FrameLimit()
        certificate = promise.futureResult
        do {
            let tls = try TLSHandler(context, handshaken: promise)
            try channel.pipeline.syncOperations.addHandlers(tls, FrameCodec<Inbound, Outbound>(limit: limit))
        } catch {
            promise.fail(error)
            throw error
        }
        let strategy = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
            lowWatermark: TransportLimits.framesInFlight / 2, highWatermark: TransportLimits.framesInFlight)
        frames = try NIOAsyncChannel(
            wrappingChannelSynchronously: channel,
            configuration: .init(
                backPressureStrategy: strategy, inboundType: Inbound.self, outboundType: Outbound.self))
    }
}

/// What all our sockets have in common.
enum SocketOptions {
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 262_144)
    /// Outbound bytes that may wait for the socket before writers are held back.
    static let writeWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 512 * 1024, high: 1024 * 1024)
}
