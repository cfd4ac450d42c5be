import Federation
import Testing

@testable import Transport

/// Which peers may connect when there are many.
@Suite struct ConnectionGateTests {
    func site(_ name: String) -> Principal { Principal(consortium: "t", role: .site(SiteID("m/\(name)")!)) }
    func auditor(_ name: String) -> Principal { Principal(consortium: "t", role: .auditor(name)) }

    func gate(
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
    func admit(_ gate: inout AdmissionControl, _ peer: Principal) throws -> String? {
        let number = try #require(gate.arrive(from: "a").number)
        let refusal = gate.admit(number, peer)
        if refusal != nil { gate.end(number) }
        return refusal?.message
    }

    @Test func aFloodOfOneAddressEndsItsOwnHandshakesOnly() throws {
        var gate = gate(handshakes: 8, perAddress: 4)
        for _ in 0..<100 { _ = gate.arrive(from: "evil") }
        let good = try #require(gate.arrive(from: "good").number)
        for _ in 0..<100 { _ = gate.arrive(from: "evil") }
        #expect(gate.holds(good) && gate.handshakeCount == 5)
        #expect(gate.admit(good, site("one")) == nil)
    }

    @Test func aFloodOfManyAddressesEndsTheOldestHandshakeAndLetsNewcomersIn() throws {
        var gate = gate(handshakes: 8)
        let first = try (0..<8).map { try #require(gate.arrive(from: "\($0)").number) }
        let newcomer = gate.arrive(from: "good")
        #expect(newcomer.dropped == first[0])
        let number = try #require(newcomer.number)
        #expect(gate.handshakeCount == 8 && gate.holds(number) && !gate.holds(first[0]))
        // An address with many handshakes loses one before an address with a single one.
        _ = gate.arrive(from: "7")
        #expect(gate.arrive(from: "another").dropped == first[7])
    }

    @Test func handshakesTakeNoPlaceOfAdmittedPeersNorTheyOfHandshakes() throws {
        var gate = gate(connections: 4, handshakes: 4)
        for index in 0..<3 { #expect(try admit(&gate, site("\(index)")) == nil) }
        for index in 0..<100 { _ = gate.arrive(from: "\(index)") }
        #expect(try admit(&gate, site("last")) == nil)
        #expect(gate.admittedCount == 4)
    }

    @Test func whereEveryPlaceIsTakenNoHandshakeBegins() throws {
        var gate = gate(connections: 1)
        let only = try #require(gate.arrive(from: "a").number)
        #expect(gate.admit(only, site("one")) == nil)
        #expect(gate.arrive(from: "b") == AdmissionControl.Arrival(number: nil, dropped: nil))
        gate.end(only)
        #expect(gate.arrive(from: "b").number != nil)
    }

    @Test func placesAreKeptForPeersThatAreKnown() throws {
        var gate = gate(connections: 8, kept: 4)
        gate.know([site("osaka")])
        for index in 0..<4 { #expect(try admit(&gate, site("new\(index)")) == nil) }
        #expect(try admit(&gate, site("new4"))?.contains("reserved for known peers") == true)
        // One peer is known by name, the other because it was admitted before.
        #expect(try admit(&gate, site("osaka")) == nil)
        #expect(try admit(&gate, site("new0")) == nil)
        // A peer may have its control and its bulk connection, but no third one.
        #expect(try admit(&gate, site("new0"))?.contains("at most 2 for each") == true)
        #expect(try admit(&gate, site("osaka")) == nil)
    }

    @Test func oneRoleCannotLockTheSitesOut() throws {
        var gate = gate(connections: 16, oversight: 4)
        for index in 0..<4 { #expect(try admit(&gate, auditor("\(index)")) == nil) }
        #expect(try admit(&gate, auditor("4"))?.contains("operators and auditors have 4") == true)
        for index in 0..<12 { #expect(try admit(&gate, site("\(index)")) == nil) }
    }

    @Test func oneCertificateHasItsLimitAndPlacesComeBack() throws {
        var gate = gate(perPeer: 2)
        let number = try #require(gate.arrive(from: "a").number)
        #expect(gate.admit(number, site("one")) == nil)
        #expect(try admit(&gate, site("one")) == nil)
        #expect(try admit(&gate, site("one"))?.contains("2 connections open, the limit for one certificate") == true)
        gate.end(number)
        gate.end(number)
        #expect(gate.admittedCount == 1)
        #expect(try admit(&gate, site("one")) == nil)
    }

    @Test func aDisplacedHandshakeIsNotAdmitted() throws {
        var gate = gate(handshakes: 1)
        let first = try #require(gate.arrive(from: "a").number)
        _ = gate.arrive(from: "b")
        #expect(gate.admit(first, site("one")) != nil && gate.admittedCount == 0)
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
