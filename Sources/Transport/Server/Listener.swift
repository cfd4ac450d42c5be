import Federation
import Identity
import Logging
import NIOCore
import NIOConcurrencyHelpers
import NIOPosix
import Wire

/// The coordinator's listening port.
package final class Listener: Sendable {
    private typealias Secure = SecureChannel<ClientFrame, ServerFrame>

    private let contexts: TLSContextBox
    private let consortium: String
    private let logger: Logger
    private let group: any EventLoopGroup
    private let registry: ConnectionRegistry
    private let server = NIOLockedValueBox<(channel: (any Channel)?, isClosed: Bool)>((nil, false))
    private let admitted = AdmittedConnections()
    private let refused: @Sendable (RefusedCertificate, String) async -> Void

    package convenience init(
        context: TLSContext,
        consortium: String,
        peerLimit: Int = .max,
        group: any EventLoopGroup,
        logger: Logger
    ) {
        self.init(
            contexts: TLSContextBox(context),
            consortium: consortium,
            peerLimit: peerLimit,
            group: group,
            logger: logger
        )
    }

    /// - Parameters:
    ///   - contexts: New handshakes use the current context.
    ///   - consortium: The consortium whose certificates are accepted.
    ///   - peerLimit: The number of connections that the holder of one certificate may have open.
    ///   - group: The event loops of the connections.
    ///   - logger: The log.
    ///   - refused: Called with each certificate that a handshake did not accept, and the reason.
    package init(
        contexts: TLSContextBox,
        consortium: String,
        peerLimit: Int = .max,
        group: any EventLoopGroup,
        logger: Logger,
        refused: @escaping @Sendable (RefusedCertificate, String) async -> Void = { _, _ in }
    ) {
        self.contexts = contexts
        self.refused = refused
        self.consortium = consortium
        self.group = group
        self.logger = logger
        var limits = AdmissionControl.Limits()
        limits.perPeer = peerLimit
        registry = ConnectionRegistry(limits.fitting(descriptors: ProcessResources.descriptorLimit))
    }

    /// Remembers peers for which places are reserved when few are left; admitted peers are remembered automatically.
    package func addKnownPeers(_ peers: [Principal]) { registry.addKnownPeers(peers) }

    /// Listens until ``close()`` or cancellation.
    ///
    /// - Parameters:
    ///   - host: The address to listen on.
    ///   - port: The port; with 0 the system chooses one.
    ///   - ready: Called with the port number.
    ///   - serve: Called with each admitted connection, which is closed when it returns.
    /// - Throws: `TransportError` if the address cannot be listened on.
    package func run(
        host: String,
        port: Int,
        ready: @Sendable (Int) async -> Void,
        serve: @escaping @Sendable (ServerConnection) async throws -> Void
    ) async throws {
        let (contexts, logger) = (contexts, logger)
        warnOfLimits()
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger))
                }
            }
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .childChannelOption(.writeBufferWaterMark, value: SocketOptions.writeWaterMark)
        for (option, value) in SocketOptions.keepAlive {
            bootstrap = bootstrap.childChannelOption(option, value: value)
        }
        let channel: NIOAsyncChannel<Secure, Never>
        do {
            channel = try await bootstrap.bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Secure(channel, contexts.current) }
            }
        } catch {
            throw TransportError(listeningOn: host, port, error)
        }
        let isClosed = server.withLockedValue { server in
            server.channel = channel.channel
            return server.isClosed
        }
        if isClosed { channel.channel.close(promise: nil) }
        await ready(channel.channel.localAddress?.port ?? port)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try? await self.reportFlood() }
            try await channel.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await self.handle(connection, serve) }
                }
            }
            group.cancelAll()
        }
    }

    private func warnOfLimits() {
        let limits = registry.limits
        guard limits.connections < TransportLimits.connections else { return }
        logger.warning(
            "the limit of open files leaves room for fewer connections",
            metadata: [
                "connections": "\(limits.connections)", "handshakes": "\(limits.handshakes)",
                "open_files_limit": "\(ProcessResources.descriptorLimit)",
                "hint": "raise it: ulimit -n, or LimitNOFILE in the systemd unit",
            ]
        )
    }

    /// Logs one line for a flood instead of one for each connection.
    private func reportFlood() async throws {
        while true {
            try await pause(for: .seconds(TransportLimits.handshakeSeconds))
            let (dropped, unlogged) = registry.takeCounts()
            guard dropped + unlogged > 0 else { continue }
            logger.warning(
                "many handshakes are not finished",
                metadata: [
                    "displaced_by_newer": "\(dropped)", "failed_and_not_logged": "\(unlogged)",
                    "seconds": "\(TransportLimits.handshakeSeconds)",
                    "hint": "a client opens connections without presenting a valid certificate",
                ]
            )
        }
    }

    /// Stops accepting connections and ends ``run(host:port:ready:serve:)``.
    package func close() {
        let channel = server.withLockedValue { server in
            server.isClosed = true
            return server.channel
        }
        channel?.close(promise: nil)
    }

    /// Closes the connections whose certificates are no longer valid.
    ///
    /// - Parameter problem: Returns why a certificate is not valid; `nil` if it is.
    package func endConnections(_ problem: (Certificate) -> String?) {
        for connection in admitted.all {
            guard let reason = problem(connection.certificate) else { continue }
            logger.warning(
                "connection closed: its certificate is no longer valid",
                metadata: ["peer": "\(connection.peer.path)", "reason": "\(reason)"]
            )
            connection.close()
        }
    }

    private func handle(_ secure: Secure, _ serve: @Sendable (ServerConnection) async throws -> Void) async {
        let channel = secure.channel
        let address = channel.remoteAddress?.text ?? "unknown"
        let ticket = registry.ticket(channel)
        var logger = logger
        logger[metadataKey: "address"] = "\(address)"
        // Close without an answer when every place is taken: a handshake just to send a refusal would cost this side
        // too much.
        guard let ticket else { return await turnAway(secure) }
        do {
            try await secure.executeThenClose { [logger] inbound, outbound in
                let certificate = try await secure.peerCertificate()
                let inbox = Inbox(inbound)
                switch self.admit(certificate, ticket) {
                case .success(let peer):
                    let connection = ServerConnection(
                        peer: peer,
                        certificate: certificate,
                        remoteAddress: address,
                        limit: secure.limit,
                        inbox: inbox,
                        outbound: outbound,
                        channel: channel
                    )
                    try await self.admitted.keeping(connection, serve)
                case .failure(let refusal):
                    logger.warning("refused a certificate", metadata: ["reason": "\(refusal.message)"])
                    try await self.refuse(refusal, inbox, outbound)
                }
            }
        } catch is CancellationError {
        } catch ChannelError.ioOnClosedChannel {
            // The peer may disconnect before the whole answer has been sent.
            logger.debug("the peer left")
        } catch let error as IdentityError where error.refused != nil {
            // Rejected certificates can come in a flood too, so the limit for log lines applies.
            if registry.mayReportFailure() { await reportRefusal(error, logger) }
        } catch {
            // There may be thousands of peers without a certificate per second, so only some are logged.
            if ticket.isAdmitted || ticket.isHeld && registry.mayReportFailure() {
                let peer = ticket.isAdmitted ? try? await secure.peerCertificate().principal().path : nil
                logger.warning("connection ended", metadata: ["peer": "\(peer ?? "")", "reason": "\(describe(error))"])
            }
        }
        ticket.end()
    }

    /// Logs whose certificate was refused, and why: the peer itself gets only a TLS alert.
    private func reportRefusal(_ error: IdentityError, _ logger: Logger) async {
        guard let certificate = error.refused else { return }
        logger.warning(
            "a peer's certificate was refused",
            metadata: [
                "peer": "\(certificate.principal?.path ?? "unknown; it calls itself \(certificate.name)")",
                "valid_from": "\(certificate.term.notBefore.text)", "valid_until": "\(certificate.term.notAfter.text)",
                "reason": "\(error)", "hint": "\(error.hint)",
            ]
        )
        await refused(certificate, "\(error)")
    }

    private func turnAway(_ secure: Secure) async {
        secure.channel.close(promise: nil)
        try? await secure.executeThenClose { _, _ in }
    }

    /// Answers the hello with a refusal and waits until the peer closes: closing with unread input could lose the
    /// answer.
    private func refuse(
        _ refusal: Refusal,
        _ inbox: Inbox<ClientFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<ServerFrame>
    ) async throws {
        try await withTimeout(.seconds(TransportLimits.helloSeconds), "the hello") {
            let hello = try await inbox.next()
            try await outbound.write(ServerFrame(inReplyTo: hello?.id ?? 0, .refusal(refusal)))
            _ = try await inbox.next()
        }
    }

    private func admit(_ certificate: Certificate, _ ticket: ConnectionSlot) -> Result<Principal, Refusal> {
        do {
            let peer = try certificate.principal()
            guard peer.consortium == consortium else {
                throw IdentityError(.wrongIdentity, "a certificate of another consortium", detail: "\(peer)")
            }
            return ticket.admit(peer).map { .failure($0) } ?? .success(peer)
        } catch {
            let hint = "a certificate carries one SPIFFE URI of this consortium; see certs/README.md"
            return .failure(Refusal(.identity, "\(error)", hint: hint))
        }
    }
}
