import Federation
import Identity
import Logging
import NIOCore
import NIOConcurrencyHelpers
import NIOPosix
import Wire

/// A connection that a participant opened, after its certificate has been checked.
public struct ServerConnection: Sendable {
    public let peer: Principal
    public let certificate: Certificate
    public let remoteAddress: String
    public let limit: FrameLimit
    public let inbox: Inbox<ClientFrame>
    public let outbound: NIOAsyncChannelOutboundWriter<ServerFrame>
    /// Ends the connection from outside its task.
    public let close: @Sendable () -> Void

    public func send(_ message: ServerMessage, inReplyTo id: UInt64 = 0) async throws {
        try await outbound.write(ServerFrame(inReplyTo: id, message))
    }
}

/// The coordinator's port.
public final class Listener: Sendable {
    private typealias Secure = SecureChannel<ClientFrame, ServerFrame>

    private let context: TLSContext
    private let consortium: String
    private let logger: Logger
    private let group: any EventLoopGroup
    private let open = NIOLockedValueBox(0)
    private let server = NIOLockedValueBox<(any Channel)?>(nil)

    public init(context: TLSContext, consortium: String, group: any EventLoopGroup, logger: Logger) {
        self.context = context
        self.consortium = consortium
        self.group = group
        self.logger = logger
    }

    /// Listens until ``close()`` or cancellation. `ready` gets the port, which may have been chosen by the system.
    public func run(
        host: String, port: Int, ready: @Sendable (Int) async -> Void,
        serve: @escaping @Sendable (ServerConnection) async throws -> Void
    ) async throws {
        let context = context
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .childChannelOption(.writeBufferWaterMark, value: SocketOptions.writeWaterMark)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Secure(channel, context) }
            }
        server.withLockedValue { $0 = channel.channel }
        await ready(channel.channel.localAddress?.port ?? port)
        try await withThrowingDiscardingTaskGroup { group in
            try await channel.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await self.handle(connection, serve) }
                }
            }
            group.cancelAll()
        }
    }

    /// Takes no more connections and ends ``run(host:port:ready:serve:)``.
    public func close() { server.withLockedValue { $0 }?.close(promise: nil) }

    private func handle(_ secure: Secure, _ serve: @Sendable (ServerConnection) async throws -> Void) async {
        let address = secure.frames.channel.remoteAddress?.description ?? "unknown"
        var logger = logger
        logger[metadataKey: "address"] = "\(address)"
        let count = open.withLockedValue { count in
            count += 1
            return count
        }
        defer { open.withLockedValue { $0 -= 1 } }
        let channel = secure.frames.channel
        do {
            try await secure.frames.executeThenClose { inbound, outbound in
                let certificate = try await secure.certificate.get()
                let identity = Result { try self.identify(certificate) }
                switch identity {
                case .success(let peer) where count <= TransportLimits.connections:
                    try await serve(
                        ServerConnection(
                            peer: peer, certificate: certificate, remoteAddress: address, limit: secure.limit,
                            inbox: Inbox(inbound), outbound: outbound, close: { channel.close(promise: nil) }))
                case .success:
                    let refusal = Refusal(
                        .limit, "the coordinator has \(TransportLimits.connections) connections open, its limit",
                        hint: "try again later")
                    try await self.refuse(refusal, Inbox(inbound), outbound)
                case .failure(let error):
                    logger.warning("refused a certificate", metadata: ["reason": "\(error)"])
                    let refusal = Refusal(
                        .identity, "\(error)", hint: "a certificate carries one SPIFFE URI of this consortium; see certs/README.md")
                    try await self.refuse(refusal, Inbox(inbound), outbound)
                }
            }
        } catch is CancellationError {
        } catch {
            logger.warning("connection ended", metadata: ["reason": "\(describe(error))"])
        }
    }

    /// Answers the hello with a refusal, and lets the peer close: a close with input unread could take the answer with it.
    private func refuse(
        _ refusal: Refusal, _ inbox: Inbox<ClientFrame>, _ outbound: NIOAsyncChannelOutboundWriter<ServerFrame>
    ) async throws {
        try await withTimeout(.seconds(TransportLimits.helloSeconds), "the hello") {
            let hello = try await inbox.next()
            try await outbound.write(ServerFrame(inReplyTo: hello?.id ?? 0, .refusal(refusal)))
            _ = try await inbox.next()
        }
    }

    private func identify(_ certificate: Certificate) throws -> Principal {
        let peer = try certificate.principal()
        guard peer.consortium == consortium else {
            throw IdentityError(.wrongIdentity, "a certificate of another consortium", detail: "\(peer)")
        }
        return peer
    }
}

/// Errors of NIO and of the system in words.
public func describe(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        error.connectionErrors.first.map { describe($0.error) } ?? "cannot connect to \(error.host):\(error.port)"
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case let error as ChannelError: "\(error)"
    default: "\(error)"
    }
}
