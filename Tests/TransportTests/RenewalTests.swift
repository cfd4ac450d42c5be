import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Wire

/// Certificates that end, are renewed or revoked while a server runs.
@Suite struct RenewalTests {
    let consortium: ConsortiumFixture
    let osaka = Principal.Role.site(SiteID("acme/osaka")!)
    init() throws { consortium = try ConsortiumFixture() }

    func failure(_ dialer: Dialer) async -> (any Error)? {
        do {
            _ = try await dialer.ask(.heartbeat(Heartbeat()), software: "test")
            return nil
        } catch { return error }
    }

    /// The server may learn of the end of a handshake after the client.
    func refusals(_ server: Server, count: Int) async throws -> [RefusedCertificate] {
        for _ in 0..<100 where server.refusals.all.count < count { try await Task.sleep(for: .milliseconds(20)) }
        return server.refusals.all
    }

    @Test func theServerLearnsWhoseCertificateHasEndedAndTheClientItsDates() async throws {
        let server = try await Server(consortium)
        let longAgo = Timestamp(milliseconds: consortium.now.milliseconds - 10 * 86_400_000)
        let old = try consortium.identity(osaka, days: 1, at: longAgo)
        let error = await failure(try server.dialer(old))
        #expect("\(error!)".contains(old.certificate.notAfter.text), "\(error!)")
        let refused = try await refusals(server, count: 1)
        #expect(
            refused.map(\.principal?.site) == [SiteID("acme/osaka")!] && refused.first?.term == old.certificate.term
        )
        // A stranger's certificate with the same name is not mistaken for the site's.
        _ = await failure(try server.dialer(ConsortiumFixture().identity(osaka), roots: consortium.roots))
        let both = try await refusals(server, count: 2)
        #expect(both.count == 2 && both.last?.principal == nil)
        await server.stop()
    }

    @Test func aRevokedCertificateIsRefusedByName() async throws {
        let site = try consortium.identity(osaka)
        let list = try consortium.authority.revoke([site.certificate], at: consortium.now)
        let server = try await Server(
            consortium,
            roots: TrustRoots([consortium.authority.certificate], revocations: [list])
        )
        let error = await failure(try server.dialer(site))
        #expect("\(error!)".contains("revoked"), "\(error!)")
        #expect(try await refusals(server, count: 1).map(\.principal?.site) == [SiteID("acme/osaka")!])
        #expect(try await server.ask())
        await server.stop()
    }

    @Test func newHandshakesUseTheNewContextAndOpenConnectionsGoOn() async throws {
        let server = try await Server(consortium)
        let dialer = try server.dialer(consortium.identity(.operator("alice")))
        let renewed = try consortium.identity(.coordinator("main"))
        let former = try await dialer.withConnection(.control, software: "test") { connection in
            server.contexts.replace(with: try server.consortium.context(.server, renewed))
            let other = try await dialer.withConnection(.control, software: "test") { $0.certificate?.digest }
            #expect(other == renewed.certificate.digest)
            try await connection.send(.heartbeat(Heartbeat()), id: 2)
            guard case .heartbeatSeen? = try await connection.inbox.next()?.message else {
                throw TransportError(.closed, "the open connection broke")
            }
            return connection.certificate?.digest
        }
        #expect(former != nil && former != renewed.certificate.digest)
        await server.stop()
    }

    @Test func aConnectionIsEndedWithItsCertificateAndTheOthersStay() async throws {
        let server = try await Server(consortium)
        let site = try consortium.identity(osaka), alice = try server.dialer(consortium.identity(.operator("alice")))
        let dialer = try server.dialer(site)
        try await alice.withConnection(.control, software: "test") { other in
            do {
                let frame = try await dialer.withConnection(.control, software: "test") { connection in
                    await server.endConnections { $0.digest == site.certificate.digest ? "it has ended" : nil }
                    return try await withTimeout(.seconds(5), "the end of the connection") {
                        try await connection.inbox.next()
                    }
                }
                #expect(frame == nil)
            } catch {
                // The connection may end in any way, but it must end.
                #expect((error as? TransportError)?.code != .timeout, "\(error)")
            }
            try await other.send(.heartbeat(Heartbeat()), id: 2)
            guard case .heartbeatSeen? = try await other.inbox.next()?.message else {
                throw TransportError(.closed, "the other connection broke")
            }
        }
        await server.stop()
    }
}
