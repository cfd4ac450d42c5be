import Federation
import TestKit
import Testing

@testable import Identity

/// TLS without sockets: two sessions that exchange bytes directly.
@Suite struct TLSSessionTests {
    final class Link {
        let client: TLSSession
        let server: TLSSession
        var received: [UInt8] = []

        init(_ client: TLSContext, _ server: TLSContext) throws {
            self.client = try TLSSession(client)
            self.server = try TLSSession(server)
        }

        static func output(_ session: TLSSession) -> [UInt8] {
            var bytes: [UInt8] = []
            session.drainOutput { bytes += $0 }
            return bytes
        }

        func handshake() throws {
            _ = try client.handshake()
            for _ in 0..<4 {
                let toServer = Self.output(client)
                _ = try toServer.withUnsafeBytes { try server.lending($0) { try server.handshake() } }
                let toClient = Self.output(server)
                _ = try toClient.withUnsafeBytes { try client.lending($0) { try client.handshake() } }
            }
        }

        func read(_ session: TLSSession, from other: TLSSession) throws -> TLSSession.Reading {
            var last = TLSSession.Reading.wantsInput
            let bytes = Self.output(other)
            _ = try bytes.withUnsafeBytes { raw in
                try session.lending(raw) {
                    var buffer = [UInt8](repeating: 0, count: 20_000)
                    while true {
                        last = try buffer.withUnsafeMutableBytes { try session.read(into: $0) }
                        guard case .bytes(let count) = last else { break }
                        received += buffer.prefix(count)
                    }
                }
            }
            return last
        }
    }

    func link() throws -> Link {
        let consortium = try ConsortiumFixture()
        return try Link(
            consortium.context(.client, consortium.identity(.operator("alice"))),
            consortium.context(.server, consortium.identity(.coordinator("main")))
        )
    }

    /// It is the user's own file that is wrong, and the error says which and what to do.
    @Test func aKeyOfAnotherCertificateIsRefused() throws {
        let consortium = try ConsortiumFixture()
        let alice = try consortium.identity(.operator("alice")), bob = try consortium.identity(.operator("bob"))
        #expect {
            try TLSContext(
                .client,
                chain: [alice.certificate],
                key: bob.key,
                roots: TrustRoots([consortium.authority.certificate])
            )
        } throws: { error in
            let error = error as? IdentityError
            return error?.code == .malformed && error?.hint.contains("kumiai pki request") == true
        }
    }

    @Test func bothSidesLearnWhoTheOtherIs() throws {
        let link = try link()
        try link.handshake()
        #expect(try link.server.peerCertificate().principal().role == .operator("alice"))
        #expect(try link.client.peerCertificate().principal().role == .coordinator("main"))
        #expect(link.client.cipher == "TLS_AES_128_GCM_SHA256")
    }

    @Test func dataArriveAcrossRecordsAndKeyUpdates() throws {
        let link = try link()
        try link.handshake()
        let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try message.withUnsafeBytes { try link.client.write($0) }
        #expect(try link.read(link.server, from: link.client) == .wantsInput)
        try link.client.updateKeys()
        try message.withUnsafeBytes { try link.client.write($0) }
        #expect(try link.read(link.server, from: link.client) == .wantsInput)
        #expect(link.received == message + message)
        // The server answers the request for a key update and continues with new keys.
        link.received = []
        try message.withUnsafeBytes { try link.server.write($0) }
        _ = try link.read(link.client, from: link.server)
        #expect(link.received == message)
    }

    @Test func closingIsTold() throws {
        let link = try link()
        try link.handshake()
        _ = try link.read(link.client, from: link.server)
        link.server.close()
        #expect(try link.read(link.client, from: link.server) == .closed)
    }

    @Test func bothSidesSayWhoseCertificateHasExpired() throws {
        let consortium = try ConsortiumFixture()
        let longAgo = Timestamp(milliseconds: consortium.now.milliseconds - 10 * 86_400_000)
        let old = try consortium.identity(.site(SiteID("acme/osaka")!), days: 1, at: longAgo)
        let link = try Link(
            consortium.context(.client, old),
            consortium.context(.server, consortium.identity(.coordinator("main")))
        )
        let server = #expect(throws: IdentityError.self) { try link.handshake() }
        #expect(server?.code == .expired && server?.refused?.principal?.site == SiteID("acme/osaka"), "\(server!)")
        #expect(server?.description.contains(old.certificate.notAfter.text) == true)
        // An alert without any detail.
        let client = #expect(throws: IdentityError.self) { _ = try link.read(link.client, from: link.server) }
        #expect(client?.code == .handshake && client?.description.contains("certificate expired") == true, "\(client!)")
        #expect(
            client?.description.contains("to \(old.certificate.notAfter.text), and this machine's clock says") == true,
            "\(client!)"
        )
        #expect(client?.hint.contains("pki renew") == true)
    }

    @Test func aCertificateThatIsNotValidYetIsLaidToTheClock() throws {
        let consortium = try ConsortiumFixture()
        let soon = consortium.now.adding(seconds: 5 * 86_400)
        let early = try consortium.identity(.coordinator("main"), at: soon)
        let link = try Link(
            consortium.context(.client, consortium.identity(.operator("alice"))),
            consortium.context(.server, early)
        )
        let client = #expect(throws: IdentityError.self) { try link.handshake() }
        #expect(client?.code == .notYetValid && client?.refused?.principal?.isCoordinator == true, "\(client!)")
        #expect(
            client?.description.contains(early.certificate.notBefore.text) == true
                && client?.hint.contains("clock") == true
        )
    }

    @Test func tamperedRecordsBreakTheConnection() throws {
        let link = try link()
        try link.handshake()
        try [1, 2, 3].withUnsafeBytes { try link.client.write($0) }
        var bytes = Link.output(link.client)
        bytes[bytes.count - 1] ^= 1
        #expect(throws: IdentityError.self) {
            try bytes.withUnsafeBytes { raw in
                try link.server.lending(raw) {
                    var buffer = [UInt8](repeating: 0, count: 100)
                    _ = try buffer.withUnsafeMutableBytes { try link.server.read(into: $0) }
                }
            }
        }
    }
}
