import Federation
import Wire

/// The models that operators have sent but not registered yet. Their number is limited, so that they cannot fill the
/// coordinator's disk.
package struct UnregisteredModels {
    private struct Arrival {
        let digest: Digest
        let sender: String
        /// The number of connections that are sending it now.
        var senders = 0
    }

    /// Oldest first.
    private var arrivals: [Arrival] = []

    package init() {}

    /// Records that an operator starts to send a model.
    ///
    /// - Returns: The models to remove to make room for it: the oldest ones that no connection is sending.
    /// - Throws: A `Refusal` if there is no room because every candidate for removal is still being sent.
    package mutating func begin(_ digest: Digest, from sender: String) throws(Refusal) -> [Digest] {
        if let index = arrivals.firstIndex(where: { $0.digest == digest }) {
            var known = arrivals.remove(at: index)
            known.senders += 1
            arrivals.append(known)
            return []
        }
        var replaced: [Digest] = []
        if arrivals.count(where: { $0.sender == sender }) >= CoordinatorLimits.arrivingModelsPerOperator {
            replaced.append(try removeOldest { $0.sender == sender })
        } else if arrivals.count >= CoordinatorLimits.arrivingModels {
            replaced.append(try removeOldest { _ in true })
        }
        arrivals.append(Arrival(digest: digest, sender: sender, senders: 1))
        return replaced
    }

    private mutating func removeOldest(_ isCandidate: (Arrival) -> Bool) throws(Refusal) -> Digest {
        guard let index = arrivals.firstIndex(where: { $0.senders == 0 && isCandidate($0) }) else {
            throw Refusal(
                .limit,
                """
                too many models are being sent; expected at most \(CoordinatorLimits.arrivingModelsPerOperator) from \
                one operator, and \(CoordinatorLimits.arrivingModels) in all
                """,
                hint: "try again when one of the transfers has ended"
            )
        }
        return arrivals.remove(at: index).digest
    }

    /// Records that a connection has stopped sending the model, whether all of it has arrived or not.
    package mutating func end(_ digest: Digest) {
        guard let index = arrivals.firstIndex(where: { $0.digest == digest }) else { return }
        arrivals[index].senders -= 1
    }

    /// Records that the model has been moved to the shared store.
    package mutating func registered(_ digest: Digest) { arrivals.removeAll { $0.digest == digest } }
}
