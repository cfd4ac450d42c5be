import Federation
import Wire

/// Which models operators have sent and not registered yet: few, so that they do not fill the coordinator's disk.
package struct ArrivingModels {
    private struct Arrival {
        let digest: Digest
        let sender: String
        /// Connections that are sending it.
        var senders = 0
    }

    /// Oldest first.
    private var arrivals: [Arrival] = []

    package init() {}

    /// An operator offers a model. Returns those that must make room for it: older ones that nobody is sending.
    package mutating func begin(_ digest: Digest, from sender: String) throws(Refusal) -> [Digest] {
        if let index = arrivals.firstIndex(where: { $0.digest == digest }) {
            var known = arrivals.remove(at: index)
            known.senders += 1
            arrivals.append(known)
            return []
        }
        var replaced: [Digest] = []
        if arrivals.count(where: { $0.sender == sender }) >= CoordinatorLimits.arrivingModelsPerOperator {
            replaced.append(try giveUp { $0.sender == sender })
        } else if arrivals.count >= CoordinatorLimits.arrivingModels {
            replaced.append(try giveUp { _ in true })
        }
        arrivals.append(Arrival(digest: digest, sender: sender, senders: 1))
        return replaced
    }

    private mutating func giveUp(_ isCandidate: (Arrival) -> Bool) throws(Refusal) -> Digest {
        guard let index = arrivals.firstIndex(where: { $0.senders == 0 && isCandidate($0) }) else {
            throw Refusal(
                .limit,
                """
                too many models are being sent; expected at most \(CoordinatorLimits.arrivingModelsPerOperator) of \
                one operator, and \(CoordinatorLimits.arrivingModels) in all
                """,
                hint: "try again when one of them has arrived"
            )
        }
        return arrivals.remove(at: index).digest
    }

    /// A connection has sent it, or as much of it as it could.
    package mutating func end(_ digest: Digest) {
        guard let index = arrivals.firstIndex(where: { $0.digest == digest }) else { return }
        arrivals[index].senders -= 1
    }

    /// It is one of the shared store now.
    package mutating func registered(_ digest: Digest) { arrivals.removeAll { $0.digest == digest } }
}
