import Federation
import Foundation
import Identity
import Logging
import NIOCore
import NIOPosix
import TestKit
import Testing
import Transport
import Wire

/// Connections over real TLS on loopback.
@Suite struct ConnectionTests {
    let consortium: ConsortiumFixture
    init() throws { consortium = try ConsortiumFixture() }

    func failure(_ dialer: Dialer) async -> (any Error)? {
        do {
            _ = try await dialer.ask(.heartbeat(Heartbeat()), software: "test")
            return nil
        } catch { return error }
    }

    @Test func questionsGetTheirAnswers() async throws {
        let server = try await Server(consortium)
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func aListenerMayStopWhileManyArrive() async {
        await #expect(processExitsWith: .success) {
            let consortium = try ConsortiumFixture()
            for milliseconds in 0..<40 {
                let server = try await Server(consortium)
                let port = server.port
                let arriving = Task.detached { (0..<200).map { _ in Shell.connect(to: port) } }
                try await Task.sleep(for: .milliseconds(milliseconds / 4))
                await server.stop()
                for descriptor in await arriving.value where descriptor >= 0 { close(descriptor) }
            }
        }
    }

    @Test func aPeerWhoSaysNothingHoldsUpNoStop() async throws {
        let server = try await Server(consortium)
        let silent = Shell.connect(to: server.port)
        defer { close(silent) }
        #expect(try await server.ask())
        let stopped = ContinuousClock().now
        await server.stop()
        #expect(ContinuousClock().now - stopped < .seconds(TransportLimits.handshakeSeconds / 2))
    }

    @Test func halfOpenConnectionsKeepNobodyOut() async throws {
        Shell.raiseDescriptorLimit()
        let server = try await Server(consortium)
        // More than one address may have; the next request comes from the same address.
        let idle = (0..<TransportLimits.handshakesPerAddress + 300).map { _ in Shell.connect(to: server.port) }
        defer { for descriptor in idle { close(descriptor) } }
        #expect(idle.allSatisfy { $0 >= 0 })
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func whereDescriptorsRunOutTheListenerPausesSaysSoOnceAndGoesOn() async {
        await #expect(processExitsWith: .success) {
            let consortium = try ConsortiumFixture()
            let messages = Messages()
            let server = try await Server(consortium, logger: Logger(label: "test") { _ in messages })
            #expect(try await server.ask())
            // If a descriptor of that connection were closed later, there would be room for one more, and the pause
            // would end.
            var open = 0
            while open != Shell.usage(of: getpid()).descriptors {
                open = Shell.usage(of: getpid()).descriptors
                try await Task.sleep(for: .milliseconds(300))
            }
            let sockets = (0..<20).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
            // Room for two more.
            let free = dup(0)
            close(free)
            Shell.raiseDescriptorLimit(atMost: UInt(free) + 2)
            for socket in sockets { #expect(Shell.connect(socket, to: server.port)) }
            let before = clock()
            try await Task.sleep(for: .seconds(3))
            let seconds = Double(clock() - before) / Double(CLOCKS_PER_SEC)
            #expect(seconds < 1.5, "it spun: \(seconds) s of processor time in 3 s")
            #expect(
                messages.count("no new connections are accepted for lack of resources; trying again each second") == 1
            )
            Shell.raiseDescriptorLimit()
            for socket in sockets { close(socket) }
            #expect(try await server.ask())
            #expect(messages.count("new connections are accepted again") == 1)
            await server.stop()
        }
    }

    @Test func certificatesThatDoNotHoldAreRefusedByReasonAndTheServerGoesOn() async throws {
        let server = try await Server(consortium)
        let other = try ConsortiumFixture()
        let eve = try other.identity(.operator("eve"))
        let wrongAuthority = await failure(try server.dialer(eve))
        #expect("\(wrongAuthority!)".contains("unknown ca"), "\(wrongAuthority!)")
        let longAgo = Timestamp(milliseconds: consortium.now.milliseconds - 10 * 86_400_000)
        let expired = await failure(try server.dialer(consortium.identity(.operator("old"), days: 1, at: longAgo)))
        #expect("\(expired!)".contains("certificate expired"), "\(expired!)")
        for names in [nil, "URI:spiffe://test.kumiai.example/operator/a,URI:spiffe://test.kumiai.example/operator/b"] {
            let error = await failure(try server.dialer(consortium.identity(alternativeNames: names)))
            #expect((error as? Refusal)?.code == .identity)
            #expect("\(error!)".contains("exactly one URI"), "\(error!)")
        }
        let foreign = await failure(try server.dialer(consortium.identity(.operator("a"), consortium: "other.example")))
        #expect("\(foreign!)".contains("another consortium"))
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func aServerThatIsNoCoordinatorIsLeft() async throws {
        let server = try await Server(consortium, identity: consortium.identity(.site(SiteID("acme/osaka")!)))
        let error = await failure(try server.dialer(consortium.identity(.operator("alice"))))
        #expect((error as? IdentityError)?.code == .wrongIdentity)
        await server.stop()
        let stranger = try await Server(ConsortiumFixture())
        let untrusted = await failure(
            try stranger.dialer(consortium.identity(.operator("alice")), roots: consortium.roots)
        )
        #expect((untrusted as? IdentityError)?.code == .notTrusted, "\(untrusted!)")
        await stranger.stop()
    }

    @Test func bulkArrivesWholeInBothDirectionsUnderBackPressure() async throws {
        let server = try await Server(consortium)
        let dialer = try server.dialer(consortium.identity(.site(SiteID("acme/osaka")!)))
        let count = 64
        let received = try await dialer.withConnection(.bulk, software: "test") { connection in
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    for index in 0..<count {
                        let payload = Payload([UInt8](repeating: UInt8(index), count: WireLimits.chunkBytes))
                        try await connection.send(.blobChunk(BlobChunk(offset: UInt64(index), payload: payload)), id: 2)
                    }
                    return 0
                }
                group.addTask {
                    var good = 0
                    for index in 0..<count {
                        // Backpressure: a slow reader slows the sender down instead of filling memory.
                        if index % 16 == 0 { try await Task.sleep(for: .milliseconds(20)) }
                        guard case .blobChunk(let chunk)? = try await connection.inbox.next()?.message else { break }
                        if chunk.offset == UInt64(index), chunk.payload.bytes.allSatisfy({ $0 == UInt8(index) }) {
                            good += 1
                        }
                    }
                    return good
                }
                return try await group.reduce(0, +)
            }
        }
        #expect(received == count)
        await server.stop()
    }

    @Test func aBulkFrameOnAControlConnectionIsRefusedAndTheServerGoesOn() async throws {
        let server = try await Server(consortium)
        let dialer = try server.dialer(consortium.identity(.site(SiteID("acme/osaka")!)))
        let chunk = BlobChunk(offset: 0, payload: Payload([UInt8](repeating: 0, count: WireLimits.controlFrameBytes)))
        await #expect(throws: (any Error).self) {
            try await dialer.withConnection(.control, software: "test") { connection in
                try await connection.send(.blobChunk(chunk), id: 2)
                guard try await connection.inbox.next() != nil else { throw TransportError(.closed, "closed") }
            }
        }
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func aTimeoutIsThrownAndAResultAndACancellationAreNotWaitedFor() async throws {
        await #expect(throws: TransportError(.timeout, "")) {
            try await withTimeout(.milliseconds(20), "it") { try await pause(for: .seconds(60)) }
        }
        #expect(try await withTimeout(.seconds(60), "it") { 7 } == 7)
        try await pause(for: .zero)
        for milliseconds in 0..<20 {
            let sleeper = Task { try await pause(for: .seconds(60)) }
            if milliseconds > 0 { try await Task.sleep(for: .milliseconds(milliseconds / 4)) }
            sleeper.cancel()
            await #expect(throws: CancellationError.self) { try await sleeper.value }
        }
    }

    /// Each message of a connection sets a timer of minutes; a cancelled timer must not stay in memory that long.
    @Test func timeoutsThatDidNotComeLeaveNothingInMemory() async {
        await #expect(processExitsWith: .success) {
            func wait(_ count: Int) async throws {
                for _ in 0..<count { try await withTimeout(.seconds(300), "it") {} }
            }
            try await wait(2000)
            let before = Shell.usage(of: getpid()).resident
            try await wait(30_000)
            let growth = Shell.usage(of: getpid()).resident - before
            // Each leftover timer took more than a kilobyte.
            #expect(growth < 12, "\(growth) MiB stayed")
        }
    }

    @Test func nobodyListeningIsSaidSo() async throws {
        let dialer = try Dialer(
            host: "127.0.0.1",
            port: Shell.freePort(),
            context: consortium.context(.client, consortium.identity(.operator("a"))),
            consortium: ConsortiumFixture.name,
            group: MultiThreadedEventLoopGroup.singleton
        )
        let error = await failure(dialer)
        #expect((error as? TransportError)?.code == .unreachable)
    }
}
