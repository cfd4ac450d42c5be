import Federation
import NIOConcurrencyHelpers
import Wire

/// How many connections there are, of whom and from where.
struct ConnectionCounts: Sendable {
    var total = 0
    /// Of each address, those whose handshake is not over.
    var handshakes: [String: Int] = [:]
    var peers: [Principal: Int] = [:]
}

/// One connection's place among all of them, from its acceptance to its end.
final class ConnectionTicket: Sendable {
    private let counts: NIOLockedValueBox<ConnectionCounts>
    private let address: String
    private let peerLimit: Int
    private let admitted = NIOLockedValueBox<Principal?>(nil)
    private let isShakingHands = NIOLockedValueBox(true)
    /// Whether its handshake may begin.
    let isWelcome: Bool

    init(_ counts: NIOLockedValueBox<ConnectionCounts>, address: String, peerLimit: Int) {
        self.counts = counts
        self.address = address
        self.peerLimit = peerLimit
        isWelcome = counts.withLockedValue {
            $0.total += 1
            $0.handshakes[address, default: 0] += 1
            return $0.handshakes[address]! <= TransportLimits.handshakesPerAddress && $0.total <= 2 * TransportLimits.connections
        }
    }

    /// Counts the connection as its peer's, once its handshake is over; or says why not.
    func admit(_ peer: Principal) -> Refusal? {
        endHandshake()
        let refusal = counts.withLockedValue { counts -> Refusal? in
            guard counts.total <= TransportLimits.connections else {
                return Refusal(
                    .limit, "the coordinator has \(TransportLimits.connections) connections open, its limit", hint: "try again later")
            }
            guard counts.peers[peer, default: 0] < peerLimit else {
                return Refusal(
                    .limit, "\(peer.path) has \(peerLimit) connections open, the limit for one certificate",
                    hint: "does another process use the same certificate?")
            }
            counts.peers[peer, default: 0] += 1
            return nil
        }
        if refusal == nil { admitted.withLockedValue { $0 = peer } }
        return refusal
    }

    func end() {
        endHandshake()
        let peer = admitted.withLockedValue { $0 }
        counts.withLockedValue { counts in
            counts.total -= 1
            guard let peer, let count = counts.peers[peer] else { return }
            counts.peers[peer] = count == 1 ? nil : count - 1
        }
    }

    private func endHandshake() {
        let was = isShakingHands.withLockedValue { value in
            defer { value = false }
            return value
        }
        guard was else { return }
        counts.withLockedValue { counts in
            let rest = counts.handshakes[address, default: 1] - 1
            counts.handshakes[address] = rest == 0 ? nil : rest
        }
    }
}
