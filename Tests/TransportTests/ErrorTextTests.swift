import Foundation
import Logging
import NIOPosix
import TestKit
import Testing
import Transport

/// The error texts when a connection, a port or a file is not available.
@Suite struct ErrorTextTests {
    let consortium: ConsortiumFixture
    init() throws { consortium = try ConsortiumFixture() }

    private func error(_ body: () throws -> Void) -> any Error {
        do { try body() } catch { return error }
        return CancellationError()
    }

    @Test func foundationsErrorsAreNotShownInItsOwnWords() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.file("missing/file"), file = try directory.write("file", [1])
        let errors = [
            error { _ = try Data(contentsOf: URL(fileURLWithPath: missing)) },
            error { _ = try String(contentsOfFile: missing, encoding: .utf8) },
            error { _ = try FileManager.default.contentsOfDirectory(atPath: missing) },
            error { _ = try FileManager.default.attributesOfItem(atPath: missing) },
            error { try "a".write(toFile: missing, atomically: true, encoding: .utf8) },
            error {
                try FileManager.default.createDirectory(atPath: file + "/below", withIntermediateDirectories: true)
            },
            error { try FileManager.default.copyItem(atPath: missing, toPath: file) },
            error { _ = try JSONDecoder().decode([Int].self, from: Data("{".utf8)) },
            error { _ = try JSONEncoder().encode(Double.nan) },
            NSError(domain: NSCocoaErrorDomain, code: 260, userInfo: [NSFilePathErrorKey: "/a/b"]), POSIXError(.ENOSPC),
        ]
        for error in errors {
            let text = describe(error)
            for word in ["Domain", "Code=", "UserInfo", "NSError", "CocoaError", "debugDescription", "Optional("] {
                #expect(!text.contains(word), "\(text), of \(error)")
            }
            #expect(!text.isEmpty)
        }
        #expect(describe(errors[0]).contains("no such file or directory"), "\(describe(errors[0]))")
        #expect(describe(errors[9]) == "/a/b: no such file or directory")
        #expect(describe(errors[10]) == "no space left on device")
    }

    @Test func errorsOfOursKeepTheirText() {
        #expect(
            describe(TransportError(.closed, "the coordinator closed the connection"))
                == "the coordinator closed the connection"
        )
        #expect(describe(CancellationError()) == "it was stopped")
    }

    @Test func anAddressInUseIsNamedWithItsRemedy() async throws {
        let server = try await Server(consortium)
        let listener = Listener(
            context: try consortium.context(.server, consortium.identity(.coordinator("main"))),
            consortium: ConsortiumFixture.name,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let port = server.port
        do {
            try await listener.run(host: "127.0.0.1", port: port, ready: { _ in }, serve: { _ in })
            Issue.record("two listen on one port")
        } catch let error as TransportError {
            #expect(
                error.code == .cannotListen
                    && error.message == "cannot listen on 127.0.0.1:\(port): address already in use",
                "\(error)"
            )
            #expect(error.hint.contains("another program listens there"), "\(error.hint)")
        }
        await server.stop()
    }

    @Test func anUnknownNameAndARefusedConnectionAreToldApart() async throws {
        let identity = try consortium.identity(.operator("alice"))
        func failure(_ host: String, _ port: Int) async throws -> TransportError? {
            let dialer = Dialer(
                host: host,
                port: port,
                context: try consortium.context(.client, identity),
                consortium: ConsortiumFixture.name,
                group: MultiThreadedEventLoopGroup.singleton
            )
            do { _ = try await dialer.ask(.getStatus, software: "test") } catch { return error as? TransportError }
            return nil
        }
        let unknown = try #require(try await failure("no-such-host.invalid", 7443))
        #expect(
            unknown.code == .unreachable
                && unknown.message.contains("the name \"no-such-host.invalid\" cannot be found"),
            "\(unknown)"
        )
        #expect(unknown.hint.contains("DNS"), "\(unknown.hint)")
        let refused = try #require(try await failure("127.0.0.1", Shell.freePort()))
        #expect(refused.code == .unreachable && refused.message.hasSuffix("connection refused"), "\(refused)")
        #expect(refused.hint.contains("is the coordinator running"), "\(refused.hint)")
    }
}
