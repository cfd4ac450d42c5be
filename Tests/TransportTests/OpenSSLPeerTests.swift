import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Wire

/// Our TLS handler against the openssl command.
@Suite struct OpenSSLPeerTests {
    let consortium: ConsortiumFixture
    let directory: TemporaryDirectory
    init() throws {
        consortium = try ConsortiumFixture()
        directory = try TemporaryDirectory()
    }

    func client(_ port: Int, _ identity: ConsortiumFixture.Identity?, _ options: [String], input: String = "") throws
        -> Shell.Outcome
    {
        try consortium.write(identity ?? consortium.identity(.operator("a")), to: directory.path)
        let files =
            identity == nil ? [] : ["-cert", directory.file("certificate.pem"), "-key", directory.file("key.pem")]
        return try Shell.run(
            [
                "timeout", "10", "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile",
                directory.file("ca.pem"), "-verify_return_error",
            ] + files
                + options,
            input: input
        )
    }

    @Test func opensslClientShakesHandsAndSeesTheServersCertificate() async throws {
        let server = try await Server(consortium)
        let outcome = try client(server.port, consortium.identity(.operator("alice")), ["-brief"])
        #expect(outcome.error.contains("Protocol version: TLSv1.3"), "\(outcome.error)")
        #expect(outcome.error.contains("Verification: OK"))
        await server.stop()
    }

    @Test func olderTLSAndClientsWithoutACertificateAreRefused() async throws {
        let server = try await Server(consortium)
        #expect(
            try client(server.port, consortium.identity(.operator("alice")), ["-tls1_2"]).error.contains(
                "alert protocol version"
            )
        )
        // In TLS 1.3 the client learns of the refusal at its first read, so it must wait for one.
        let outcome = try client(server.port, nil, ["-ign_eof"])
        #expect((outcome.output + outcome.error).contains("certificate required"), "\(outcome.error)")
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func keyUpdatesOfAPeerAreFollowed() async throws {
        let server = try await Server(consortium)
        // K requests a key update of both sides; the following bytes use the new keys, and are not a valid frame.
        let script = """
            (sleep 0.5; printf 'K\\n'; sleep 0.5; printf 'K\\n'; sleep 0.5) | timeout 10 openssl s_client -connect \
            127.0.0.1:\(server.port) -CAfile \(directory.file("ca.pem")) -cert \(directory.file("certificate.pem")) \
            -key \(directory.file("key.pem"))
            """
        try consortium.write(consortium.identity(.operator("alice")), to: directory.path)
        let outcome = try Shell.run(["bash", "-c", script])
        #expect(outcome.error.components(separatedBy: "KEYUPDATE").count == 3, "\(outcome.error)")
        #expect(outcome.status == 0)
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func garbageInsteadOfTLSHarmsNobody() async throws {
        let server = try await Server(consortium)
        try Shell.run([
            "bash", "-c", "for i in 1 2 3; do head -c 100000 /dev/urandom > /dev/tcp/127.0.0.1/\(server.port); done",
        ])
        try Shell.run(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(server.port); exec 3>&-"])
        #expect(try await server.ask())
        await server.stop()
    }

    func serverProcess(_ port: Int, _ options: [String]) throws -> Process {
        try consortium.write(consortium.identity(.coordinator("main")), to: directory.path)
        // s_server ends when its standard input ends.
        let command = """
            exec openssl s_server -accept 127.0.0.1:\(port) -CAfile \(directory.file("ca.pem")) -cert \
            \(directory.file("certificate.pem")) -key \(directory.file("key.pem")) -Verify 1 -verify_return_error \
            -naccept 1 \(options.joined(separator: " ")) < <(sleep 8)
            """
        return try Shell.start(
            ["bash", "-c", command],
            output: directory.file("server.out"),
            error: directory.file("server.err")
        )
    }

    func dial(_ port: Int) async throws -> any Error {
        let dialer = try Dialer(
            host: "127.0.0.1",
            port: port,
            context: consortium.context(.client, consortium.identity(.operator("alice"))),
            consortium: ConsortiumFixture.name,
            group: .singletonForTests
        )
        for _ in 0..<100 {
            do {
                _ = try await withTimeout(.seconds(5), "the answer") {
                    try await dialer.ask(.getStatus, software: "test")
                }
            } catch let error as TransportError where error.code == .unreachable {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                return error
            }
        }
        return TransportError(.unreachable, "s_server did not start")
    }

    @Test func aServerThatSpeaksOnlyTLS12IsRefused() async throws {
        let port = Shell.freePort()
        let server = try serverProcess(port, ["-tls1_2"])
        let error = try await dial(port)
        #expect(error is IdentityError, "\(error)")
        server.terminate()
        server.waitUntilExit()
    }

    @Test func opensslServerSeesOurCertificateAndFrames() async throws {
        let port = Shell.freePort()
        let server = try serverProcess(port, ["-tls1_3"])
        // It sends no answer: the client times out after the handshake.
        let error = try await dial(port)
        #expect((error as? TransportError)?.code == .timeout, "\(error)")
        server.terminate()
        server.waitUntilExit()
        let output =
            String(decoding: try directory.read("server.out"), as: UTF8.self)
            + String(decoding: try directory.read("server.err"), as: UTF8.self)
        #expect(output.contains("TLS_AES_128_GCM_SHA256"))
        #expect(output.contains("operator/alice"))
    }

    @Test func aConnectionCutWithoutCloseNotifyIsTruncation() async throws {
        let port = Shell.freePort()
        let server = try serverProcess(port, ["-tls1_3"])
        async let failure = dial(port)
        // Wait until the handshake is over on both sides.
        for _ in 0..<100 where !String(decoding: try directory.read("server.out"), as: UTF8.self).contains("CIPHER is")
        {
            try await Task.sleep(for: .milliseconds(50))
        }
        try await Task.sleep(for: .milliseconds(200))
        kill(server.processIdentifier, SIGKILL)
        let error = try await failure
        #expect((error as? IdentityError)?.code == .truncated, "\(error)")
        server.waitUntilExit()
    }
}
