import Federation
import Wire

/// Who may connect, as a value. Handshakes in progress and admitted peers count apart: a peer that has shown no
/// certificate takes no place of one who has.
///
/// A newcomer for whose handshake there is no place takes the place of the oldest one that is unfinished, of his own
/// address where that has too many, or else of the address that has the most. An honest handshake takes some round
/// trips and is among the youngest, so a flood must fill all places anew within that time to end it; refusing newcomers
/// instead would let one flood a handshake's time limit keep everybody out.
struct ConnectionGate: Sendable {
    struct Limits: Equatable, Sendable {
        var connections = TransportLimits.connections
        var kept = TransportLimits.connectionsKept
        var oversight = TransportLimits.oversightConnections
        var handshakes = TransportLimits.handshakes
        var handshakesPerAddress = TransportLimits.handshakesPerAddress
        var perPeer = Int.max

        /// What a process with so many open files can hold; the ledger and the blobs need some too.
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

    /// A newcomer's number, or none where he has no place; and whose handshake ends for him.
    struct Arrival: Equatable {
        let number: UInt64?
        let dropped: UInt64?
    }

    let limits: Limits
    private(set) var admittedCount = 0
    private(set) var handshakeCount = 0
    private var next: UInt64 = 1
    /// Of each address, the numbers of unfinished handshakes, oldest first.
    private var waiting: [String: [UInt64]] = [:]
    private var addresses: [UInt64: String] = [:]
    private var admitted: [UInt64: Principal] = [:]
    private var perPeer: [Principal: Int] = [:]
    private var oversightCount = 0
    private var known: Set<Principal> = []

    /// Peers that are remembered: more than a consortium has, and a bound for memory.
    private static let knownPeers = 16_384
    /// What a peer needs: a site's control and bulk connections.
    private static let connectionsInUse = 2

    init(_ limits: Limits) { self.limits = limits }

    /// Remembers peers for whom places are kept. A peer that was admitted is known as well.
    mutating func know(_ peers: [Principal]) {
        for peer in peers where known.count < Self.knownPeers { known.insert(peer) }
    }

    // MARK: Handshakes

    mutating func arrive(from address: String) -> Arrival {
        // No certificate could help: a handshake would be work for a refusal.
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

    /// Counts a connection as its peer's, once its handshake is over; or says why not. One that is refused counts among
    /// the unfinished handshakes until it ends.
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
        know([peer])
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
                "the coordinator's last \(limits.kept) connections are kept for peers that it knows, and for each "
                    + "one's first "
                    + "\(Self.connectionsInUse)",
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

    /// Whether a connection has a place, in a handshake or admitted.
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
