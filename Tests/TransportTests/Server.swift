import Federation
import Identity
import Logging
import NIOPosix
import Synchronization
import TestKit
import Transport
import Wire

/// A listener on loopback that answers every hello with a welcome and every heartbeat with the time.
actor Server {
    let consortium: ConsortiumFixture
    let port: Int
    /// The contexts that new handshakes use.
    let contexts: TLSContextBox
    let refusals = Refusals()
    private let listener: Listener
    private let task: Task<Void, any Error>

    /// The certificates that handshakes refused.
    final class Refusals: Sendable {
        private let certificates = Mutex<[RefusedCertificate]>([])
        func add(_ certificate: RefusedCertificate) { certificates.withLock { $0.append(certificate) } }
        var all: [RefusedCertificate] { certificates.withLock { $0 } }
    }

    init(
        _ consortium: ConsortiumFixture,
        identity: ConsortiumFixture.Identity? = nil,
        roots: TrustRoots? = nil,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) async throws {
        self.consortium = consortium
        let refusals = refusals
        let identity = try identity ?? consortium.identity(.coordinator("main"))
        let contexts = TLSContextBox(try consortium.context(.server, identity, roots: roots))
        self.contexts = contexts
        let listener = Listener(
            contexts: contexts,
            consortium: ConsortiumFixture.name,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger
        ) { certificate, _ in refusals.add(certificate) }
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        self.listener = listener
        task = Task {
            try await listener.run(host: "127.0.0.1", port: 0) {
                continuation.yield($0)
            } serve: {
                try await Self.serve($0)
            }
        }
        port = await ports.first { _ in true }!
    }

    private static func serve(_ connection: ServerConnection) async throws {
        while let frame = try await connection.inbox.next() {
            switch frame.message {
            case .hello(let hello):
                if hello.purpose == .bulk { connection.limit.allowBulk() }
                let welcome = Welcome(
                    version: 1,
                    consortium: ConsortiumFixture.name,
                    time: Timestamp(milliseconds: 1),
                    heartbeatSeconds: 5,
                    chunkBytes: 1,
                    logKey: [],
                    logKeySignature: []
                )
                try await connection.send(.welcome(welcome), inReplyTo: frame.id)
            case .heartbeat: try await connection.send(.heartbeatSeen(Timestamp(milliseconds: 42)), inReplyTo: frame.id)
            // Echoes, so that both directions carry bulk data.
            case .blobChunk(let chunk): try await connection.send(.blobChunk(chunk), inReplyTo: frame.id)
            case .getStatus: throw Refusal(.role, "nobody may ask")
            default: return
            }
        }
    }

    func endConnections(_ problem: (Certificate) -> String?) { listener.endConnections(problem) }

    func stop() async {
        listener.close()
        _ = await task.result
    }

    nonisolated func dialer(_ identity: ConsortiumFixture.Identity, roots: TrustRoots? = nil) throws -> Dialer {
        Dialer(
            host: "127.0.0.1",
            port: port,
            context: try consortium.context(.client, identity, roots: roots),
            consortium: ConsortiumFixture.name,
            group: MultiThreadedEventLoopGroup.singleton
        )
    }

    /// Whether a new connection works, so that the server is up.
    nonisolated func ask() async throws -> Bool {
        let dialer = try dialer(consortium.identity(.operator("alice")))
        if case .heartbeatSeen = try await dialer.ask(.heartbeat(Heartbeat()), software: "test") { return true }
        return false
    }
}

/// Collects the messages that are logged.
final class Messages: LogHandler, @unchecked Sendable {
    // Unchecked, because the metadata are set before the first line.
    private let lines = Mutex<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
    func count(_ message: String) -> Int { lines.withLock { $0.count { $0 == message } } }
}
