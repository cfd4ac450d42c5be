import Federation
import Identity
import NIOCore
import NIOPosix
import Wire

/// The coordinator's address, and the certificate to connect with.
package struct Dialer: Sendable {
    package let host: String
    package let port: Int
    package let proxy: ConnectProxy?
    /// New connections use the current context.
    package let contexts: TLSContextBox
    package let consortium: String
    private let group: any EventLoopGroup

    package init(
        host: String,
        port: Int,
        proxy: ConnectProxy? = nil,
        context: TLSContext,
        consortium: String,
        group: any EventLoopGroup
    ) {
        self.init(
            host: host,
            port: port,
            proxy: proxy,
            contexts: TLSContextBox(context),
            consortium: consortium,
            group: group
        )
    }

    package init(
        host: String,
        port: Int,
        proxy: ConnectProxy? = nil,
        contexts: TLSContextBox,
        consortium: String,
        group: any EventLoopGroup
    ) {
        self.host = host
        self.port = port
        self.proxy = proxy
        self.contexts = contexts
        self.consortium = consortium
        self.group = group
    }

    /// Connects, says hello, and calls `body` with the connection, which is closed when `body` returns.
    ///
    /// - Returns: The result of `body`.
    /// - Throws: `TransportError` or `IdentityError` if there is no connection, the coordinator's `Refusal`, or what
    ///   `body` throws.
    package func withConnection<Result: Sendable>(
        _ purpose: Hello.Purpose,
        software: String,
        treeHead: String = "",
        _ body: @Sendable @escaping (ClientConnection) async throws -> Result
    ) async throws -> Result {
        let secure = try await connect()
        let channel = secure.channel
        return try await secure.executeThenClose { inbound, outbound in
            let connection = ClientConnection(inbox: Inbox(inbound), outbound: outbound, channel: channel)
            do {
                let certificate = try await secure.peerCertificate()
                try check(certificate)
                let welcome = try await withTimeout(.seconds(TransportLimits.helloSeconds), "the coordinator's welcome")
                {
                    try await connection.hello(purpose, software: software, treeHead: treeHead)
                }
                if purpose == .bulk { secure.limit.allowBulk() }
                return try await body(connection.welcomed(welcome, certificate: certificate))
            } catch let error as IdentityError {
                // Tell the coordinator's log why this client disconnects.
                try? await connection.send(.goodbye(reason: "\(error)"), id: 1)
                throw error
            }
        }
    }

    private func connect() async throws -> SecureChannel<ServerFrame, ClientFrame> {
        let (context, host, port, proxy) = (contexts.current, host, port, proxy)
        let eventLoop = group.next()
        let tunnel = eventLoop.makePromise(of: Void.self)
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(TransportLimits.connectSeconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .channelOption(.writeBufferWaterMark, value: SocketOptions.clientWriteWaterMark)
        for (option, value) in SocketOptions.keepAlive { bootstrap = bootstrap.channelOption(option, value: value) }
        do {
            let secure = try await bootstrap.connect(host: proxy?.host ?? host, port: proxy?.port ?? port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = proxy.map {
                        ConnectHandler(host: host, port: port, authorization: $0.authorization, tunnel: tunnel)
                    }
                    return try SecureChannel<ServerFrame, ClientFrame>(channel, context, behind: handler)
                }
            }
            if proxy == nil { tunnel.succeed(()) }
            try await tunnel.futureResult.get()
            return secure
        } catch {
            tunnel.fail(error)
            let way = proxy.map { " through the proxy\($0.host):\($0.port)" } ?? ""
            let failure = ConnectionFailure(error)
            let message = "cannot reach the coordinator at \(host):\(port)\(way): \(failure.reason)"
            throw TransportError(.unreachable, message, hint: failure.hint)
        }
    }

    /// Checks that the peer is a coordinator of our consortium, whatever its host name is.
    private func check(_ certificate: Certificate) throws {
        let peer = try certificate.principal()
        guard peer.isCoordinator, peer.consortium == consortium else {
            throw IdentityError(
                .wrongIdentity,
                "the other side is not the coordinator of \(consortium)",
                detail: "\(peer)"
            )
        }
    }
}

/// A connection to the coordinator.
package struct ClientConnection: Sendable {
    package let inbox: Inbox<ServerFrame>
    package let outbound: NIOAsyncChannelOutboundWriter<ClientFrame>
    /// The coordinator's answer to the hello.
    package let welcome: Welcome?
    /// The coordinator's certificate.
    package let certificate: Certificate?
    private let channel: any Channel

    init(
        inbox: Inbox<ServerFrame>,
        outbound: NIOAsyncChannelOutboundWriter<ClientFrame>,
        welcome: Welcome? = nil,
        certificate: Certificate? = nil,
        channel: any Channel
    ) {
        self.inbox = inbox
        self.outbound = outbound
        self.channel = channel
        self.welcome = welcome
        self.certificate = certificate
    }

    /// Closes the connection; may be called from another task.
    package func close() { channel.close(promise: nil) }

    /// Returns once the event loop has taken the message; waits while more than ``SocketOptions/clientWriteWaterMark``
    /// is pending.
    ///
    /// - Throws: If the connection is closed.
    package func send(_ message: ClientMessage, id: UInt64) async throws {
        try await outbound.write(ClientFrame(id: id, message))
        // As in ServerConnection: otherwise a large blob would be completely encrypted before its first byte is sent.
        try await channel.eventLoop.submit {}.get()
    }

    func hello(_ purpose: Hello.Purpose, software: String, treeHead: String) async throws -> Welcome {
        do {
            try await send(.hello(Hello(purpose: purpose, software: software, treeHead: treeHead)), id: 1)
        } catch {
            // The coordinator closed the connection before it read the hello: its last message says why.
            _ = try await inbox.next()
            throw error
        }
        guard let frame = try await inbox.next() else {
            throw TransportError(.closed, "the coordinator closed the connection before its welcome")
        }
        switch frame.message {
        case .welcome(let welcome):
            guard WireLimits.versions.contains(welcome.version) else {
                throw Refusal(
                    .version,
                    "the coordinator chose protocol version \(welcome.version), which this program does not support"
                )
            }
            return welcome
        case .refusal(let refusal): throw refusal
        default: throw TransportError(.unexpected, "the coordinator did not answer the hello")
        }
    }

    func welcomed(_ welcome: Welcome, certificate: Certificate) -> ClientConnection {
        ClientConnection(inbox: inbox, outbound: outbound, welcome: welcome, certificate: certificate, channel: channel)
    }
}
