import Federation
import Testing

@testable import Transport

/// Which peers may connect when there are many.
@Suite struct AdmissionControlTests {
    func site(_ name: String) -> Principal { Principal(consortium: "t", role: .site(SiteID("m/\(name)")!)) }
    func auditor(_ name: String) -> Principal { Principal(consortium: "t", role: .auditor(name)) }

    func admission(
        connections: Int = 8,
        kept: Int = 0,
        oversight: Int = 8,
        handshakes: Int = 8,
        perAddress: Int = 8,
        perPeer: Int = .max
    ) -> AdmissionControl {
        AdmissionControl(
            AdmissionControl.Limits(
                connections: connections,
                kept: kept,
                oversight: oversight,
                handshakes: handshakes,
                handshakesPerAddress: perAddress,
                perPeer: perPeer
            )
        )
    }

    /// Arrives and completes the handshake at once.
    func admit(_ admission: inout AdmissionControl, _ peer: Principal) throws -> String? {
        let number = try #require(admission.arrive(from: "a").number)
        let refusal = admission.admit(number, peer)
        if refusal != nil { admission.end(number) }
        return refusal?.message
    }

    @Test func aFloodOfOneAddressEndsItsOwnHandshakesOnly() throws {
        var admission = admission(handshakes: 8, perAddress: 4)
        for _ in 0..<100 { _ = admission.arrive(from: "evil") }
        let good = try #require(admission.arrive(from: "good").number)
        for _ in 0..<100 { _ = admission.arrive(from: "evil") }
        #expect(admission.holds(good) && admission.handshakeCount == 5)
        #expect(admission.admit(good, site("one")) == nil)
    }

    @Test func aFloodOfManyAddressesEndsTheOldestHandshakeAndLetsNewcomersIn() throws {
        var admission = admission(handshakes: 8)
        let first = try (0..<8).map { try #require(admission.arrive(from: "\($0)").number) }
        let newest = admission.arrive(from: "good")
        #expect(newest.dropped == first[0])
        let number = try #require(newest.number)
        #expect(admission.handshakeCount == 8 && admission.holds(number) && !admission.holds(first[0]))
        // An address with many handshakes loses one before an address with a single one.
        _ = admission.arrive(from: "7")
        #expect(admission.arrive(from: "another").dropped == first[7])
    }

    @Test func handshakesTakeNoPlaceOfAdmittedPeersNorTheyOfHandshakes() throws {
        var admission = admission(connections: 4, handshakes: 4)
        for index in 0..<3 { #expect(try admit(&admission, site("\(index)")) == nil) }
        for index in 0..<100 { _ = admission.arrive(from: "\(index)") }
        #expect(try admit(&admission, site("last")) == nil)
        #expect(admission.admittedCount == 4)
    }

    @Test func whereEveryPlaceIsTakenNoHandshakeBegins() throws {
        var admission = admission(connections: 1)
        let only = try #require(admission.arrive(from: "a").number)
        #expect(admission.admit(only, site("one")) == nil)
        #expect(admission.arrive(from: "b") == AdmissionControl.Arrival(number: nil, dropped: nil))
        admission.end(only)
        #expect(admission.arrive(from: "b").number != nil)
    }

    @Test func placesAreKeptForPeersThatAreKnown() throws {
        var admission = admission(connections: 8, kept: 4)
        admission.addKnownPeers([site("osaka")])
        for index in 0..<4 { #expect(try admit(&admission, site("new\(index)")) == nil) }
        #expect(try admit(&admission, site("new4"))?.contains("reserved for known peers") == true)
        // One peer is known by name, the other because it was admitted before.
        #expect(try admit(&admission, site("osaka")) == nil)
        #expect(try admit(&admission, site("new0")) == nil)
        // A peer may have its control and its bulk connection, but no third one.
        #expect(try admit(&admission, site("new0"))?.contains("at most 2 for each") == true)
        #expect(try admit(&admission, site("osaka")) == nil)
    }

    @Test func oneRoleCannotLockTheSitesOut() throws {
        var admission = admission(connections: 16, oversight: 4)
        for index in 0..<4 { #expect(try admit(&admission, auditor("\(index)")) == nil) }
        #expect(try admit(&admission, auditor("4"))?.contains("operators and auditors have 4") == true)
        for index in 0..<12 { #expect(try admit(&admission, site("\(index)")) == nil) }
    }

    @Test func oneCertificateHasItsLimitAndPlacesComeBack() throws {
        var admission = admission(perPeer: 2)
        let number = try #require(admission.arrive(from: "a").number)
        #expect(admission.admit(number, site("one")) == nil)
        #expect(try admit(&admission, site("one")) == nil)
        let refusal = try admit(&admission, site("one"))
        #expect(refusal?.contains("2 connections open, the limit for one certificate") == true)
        admission.end(number)
        admission.end(number)
        #expect(admission.admittedCount == 1)
        #expect(try admit(&admission, site("one")) == nil)
    }

    @Test func aDisplacedHandshakeIsNotAdmitted() throws {
        var admission = admission(handshakes: 1)
        let first = try #require(admission.arrive(from: "a").number)
        _ = admission.arrive(from: "b")
        #expect(admission.admit(first, site("one")) != nil && admission.admittedCount == 0)
    }

    @Test func fewOpenFilesMakeFewPlacesAndLeaveSomeForTheLedger() {
        let limits = AdmissionControl.Limits().fitting(descriptors: 1024)
        #expect(limits.connections + limits.handshakes <= 1024 - TransportLimits.descriptorsKept)
        #expect(
            limits.connections > 300 && limits.kept < limits.connections
                && limits.handshakesPerAddress <= limits.handshakes
        )
        #expect(AdmissionControl.Limits().fitting(descriptors: 1 << 20) == AdmissionControl.Limits())
    }
}
