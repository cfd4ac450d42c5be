import Blobs
import COpenSSLBaseline
import Coordinator
import Federation
import Foundation
import Identity
import Logging
import NIOPosix
import Protocol
import Transport
import Wire

/// Measures 1 GiB over TLS, protobuf, spool and hash against bare OpenSSL over the same loopback.
enum IntakeBenchmark {
    static let byteCount = 1 << 30

    static func run() async throws -> [String: Double] {
        let folder = NSTemporaryDirectory() + "/kumiai-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let now = Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000))
        let authority = try CertificateAuthority.create(consortium: "bench.example", at: now)
        let key = try PrivateKey.generate()
        func certificate(_ role: Principal.Role) throws -> Certificate {
            try authority.issue(Principal(consortium: "bench.example", role: role), for: key.publicKey, at: now)
        }
        let coordinator = try certificate(.coordinator("c")), site = try certificate(.site(SiteID("m/s")!))
        for (name, bytes) in [
            ("ca", try authority.certificate.pem()), ("cert", try coordinator.pem()), ("key", try key.pem()),
        ] {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name).pem"))
        }
        let roots = TrustRoots([authority.certificate])
        let openssl = Main.median(3) {
            baseline_transfer(folder + "/cert.pem", folder + "/key.pem", folder + "/ca.pem", Int64(byteCount), 0)
        }
        let intake = try await Self.intake(
            folder,
            server: TLSContext(.server, chain: [coordinator], key: key, roots: roots),
            client: TLSContext(.client, chain: [site], key: key, roots: roots)
        )
        let megabytes = Double(byteCount) / 1e6
        return [
            "openssl_mb_s": megabytes / openssl, "intake_mb_s": megabytes / intake,
            "intake_vs_openssl": openssl / intake,
        ]
    }

    /// Seconds until the last byte is on disk under its hash; the median of three runs.
    private static func intake(_ folder: String, server: TLSContext, client: TLSContext) async throws -> Double {
        let store = try BlobStore(directory: folder + "/blobs")
        let workers = NIOThreadPool(numberOfThreads: 2)
        workers.start()
        let listener = Listener(
            context: server,
            consortium: "bench.example",
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
        let (ports, port) = AsyncStream<Int>.makeStream()
        let task = Task {
            try await listener.run(host: "127.0.0.1", port: 0) {
                port.yield($0)
            } serve: { connection in
                connection.limit.allowBulk()
                try await receive(connection, store, workers)
            }
        }
        let dialer = Dialer(
            host: "127.0.0.1",
            port: await ports.first { _ in true }!,
            context: client,
            consortium: "bench.example",
            group: MultiThreadedEventLoopGroup.singleton
        )
        var times: [Double] = []
        for fill in 1...3 {
            let chunk = Payload([UInt8](repeating: UInt8(fill), count: WireLimits.chunkBytes))
            let hash = SHA256()
            for _ in 0..<byteCount / chunk.count { chunk.withUnsafeBytes { hash.update($0) } }
            let digest = hash.finish()
            times.append(
                try await dialer.withConnection(.bulk, software: "bench") { connection in
                    let clock = ContinuousClock()
                    let start = clock.now
                    var sender = UploadSender(digest, byteCount: UInt64(byteCount), chunkBytes: chunk.count)
                    try await connection.send(sender.offer, id: 2)
                    guard let frame = try await connection.inbox.next(), case .begin = try sender.handle(frame.message)
                    else { throw BenchmarkError("the upload did not begin") }
                    while let range = sender.nextRange() {
                        let chunk = BlobChunk(offset: range.lowerBound, payload: chunk)
                        try await connection.send(.blobChunk(chunk), id: 3)
                    }
                    while !sender.isComplete, let frame = try await connection.inbox.next() {
                        _ = try sender.handle(frame.message)
                    }
                    let elapsed = start.duration(to: clock.now)
                    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
                }
            )
            store.remove(digest)
        }
        listener.close()
        _ = await task.result
        return times.sorted()[1]
    }

    /// Handles an upload as the coordinator does.
    private static func receive(_ connection: ServerConnection, _ store: BlobStore, _ workers: NIOThreadPool)
        async throws
    {
        while let frame = try await connection.inbox.next() {
            switch frame.message {
            case .hello:
                let welcome = Welcome(
                    version: 1,
                    consortium: "bench.example",
                    time: Timestamp(milliseconds: 1),
                    heartbeatSeconds: 5,
                    chunkBytes: WireLimits.chunkBytes,
                    logKey: [],
                    logKeySignature: []
                )
                try await connection.send(.welcome(welcome), inReplyTo: frame.id)
            case .offerBlob(let digest, let byteCount):
                let spool = try store.spool(digest, byteCount: byteCount)
                try await UploadIntake(spool, on: workers, budget: ChunkBudget()).run(offer: frame.id) {
                    try await connection.inbox.next()
                } send: { message, id in
                    try await connection.send(message, inReplyTo: id)
                }
            default: return
            }
        }
    }
}
