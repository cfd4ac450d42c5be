import Federation
import Wire

/// Admission control for connections, as a value. Unfinished handshakes and admitted peers are counted separately, so
/// that a peer without a valid certificate never takes the place of one that has shown one.
///
/// If there is no place for a new handshake, the oldest unfinished one is dropped: from the same address if that has
/// too many, otherwise from the address that has the most. An honest handshake takes a few round trips and is among the
/// youngest, so a flood must refill all places within that time to displace it. If new handshakes were refused instead,
/// a flood could keep all clients out for a handshake's time limit.
struct AdmissionControl: Sendable {
    struct Limits: Equatable, Sendable {
        var connections = TransportLimits.connections
        var kept = TransportLimits.connectionsKept
        var oversight = TransportLimits.oversightConnections
        var handshakes = TransportLimits.handshakes
        var handshakesPerAddress = TransportLimits.handshakesPerAddress
        var perPeer = Int.max

        /// Reduces the limits to what a process with this many descriptors can hold; the ledger and the blobs need some
        /// too.
        func fitting(descriptors: Int) -> Limits {
            let places = max(16, descriptors - TransportLimits.descriptorsKept)
            guard places < connections + handshakes else { return self }
            var fitting = self
            fitting.connections = min(connections, places * 3 / 4)
            fitting.handshakes = min(handshakes, places - places * 3 / 4)
            fitting.kept = min(kept, fitting.connections / 4)
            fitting.oversight = min(oversight, fitting.connections / 4)
            fitting.handshakesPerAddress = min(handshakesPerAddress, fitting.handshakes)
            return fitting
        }
    }

    /// The number of a new connection, or `nil` if there is no place for it; and the number of the handshake that it
    /// displaces.
    struct Arrival: Equatable {
        let number: UInt64?
        let dropped: UInt64?
    }

    let limits: Limits
    private(set) var admittedCount = 0
    private(set) var handshakeCount = 0
    private var next: UInt64 = 1
    /// For each address, the numbers of the unfinished handshakes, oldest first.
    private var waiting: [String: [UInt64]] = [:]
    private var addresses: [UInt64: String] = [:]
    private var admitted: [UInt64: Principal] = [:]
    private var perPeer: [Principal: Int] = [:]
    private var oversightCount = 0
    private var known: Set<Principal> = []

    /// The largest number of peers to remember: more than a consortium has, but bounded.
    private static let knownPeers = 16_384
    /// How many connections a peer needs: a site's control and bulk connections.
    private static let connectionsInUse = 2

    init(_ limits: Limits) { self.limits = limits }

    /// Remembers peers for which places are reserved. Admitted peers are remembered automatically.
    mutating func addKnownPeers(_ peers: [Principal]) {
        for peer in peers where known.count < Self.knownPeers { known.insert(peer) }
    }

    // MARK: Handshakes

    mutating func arrive(from address: String) -> Arrival {
        // All places for admitted peers are taken, so the connection would be refused even with a valid certificate.
        guard admittedCount < limits.connections else { return Arrival(number: nil, dropped: nil) }
        var dropped: UInt64?
        if waiting[address]?.count ?? 0 >= limits.handshakesPerAddress {
            dropped = waiting[address]?.first
        } else if handshakeCount >= limits.handshakes {
            dropped = waiting.values.max { ($0.count, $1[0]) < ($1.count, $0[0]) }?.first
        }
        if let dropped { endHandshake(dropped) }
        let number = next
        next += 1
        waiting[address, default: []].append(number)
        addresses[number] = address
        handshakeCount += 1
        return Arrival(number: number, dropped: dropped)
    }

    private mutating func endHandshake(_ number: UInt64) {
        guard let address = addresses.removeValue(forKey: number), var rest = waiting[address] else { return }
        rest.removeAll { $0 == number }
        waiting[address] = rest.isEmpty ? nil : rest
        handshakeCount -= 1
    }

    // MARK: Admission

    /// Counts a connection as its peer's once its handshake is complete.
    ///
    /// - Returns: `nil`, or the reason for refusing the connection, which then counts as an unfinished handshake until
    ///   it ends.
    mutating func admit(_ number: UInt64, _ peer: Principal) -> Refusal? {
        guard addresses[number] != nil else {
            return Refusal(.limit, "the handshake took too long while many others waited", hint: "try again")
        }
        if let refusal = refusal(of: peer) { return refusal }
        endHandshake(number)
        admitted[number] = peer
        admittedCount += 1
        perPeer[peer, default: 0] += 1
        if peer.site == nil { oversightCount += 1 }
        addKnownPeers([peer])
        return nil
    }

    private func refusal(of peer: Principal) -> Refusal? {
        let own = perPeer[peer] ?? 0
        guard own < limits.perPeer else {
            return Refusal(
                .limit,
                "\(peer.path) has \(limits.perPeer) connections open, the limit for one certificate",
                hint: "does another process use the same certificate?"
            )
        }
        let free = limits.connections - admittedCount
        guard free > 0 else {
            return Refusal(
                .limit,
                "the coordinator has \(limits.connections) connections open, its limit",
                hint: "try again later"
            )
        }
        guard free > limits.kept || own < Self.connectionsInUse && known.contains(peer) else {
            return Refusal(
                .limit,
                "the coordinator's last \(limits.kept) connections are reserved for known peers, "
                    + "at most \(Self.connectionsInUse) for each",
                hint: "try again later"
            )
        }
        guard peer.site != nil || oversightCount < limits.oversight else {
            return Refusal(
                .limit,
                "operators and auditors have \(limits.oversight) connections open, their limit",
                hint: "try again later"
            )
        }
        return nil
    }

    func hasAdmitted(_ number: UInt64) -> Bool { admitted[number] != nil }

    /// Whether a connection has a place, as a handshake or as an admitted one.
    func holds(_ number: UInt64) -> Bool { addresses[number] != nil || admitted[number] != nil }

    mutating func end(_ number: UInt64) {
        endHandshake(number)
        guard let peer = admitted.removeValue(forKey: number) else { return }
        admittedCount -= 1
        let rest = (perPeer[peer] ?? 1) - 1
        perPeer[peer] = rest == 0 ? nil : rest
        if peer.site == nil { oversightCount -= 1 }
    }
}
