import Blobs
import Coordinator
import Federation

/// The computation of a round, and damage to its updates.
extension SimulatedCoordinator {
    func compute(_ task: AggregationTask) {
        guard task != forgotten else { return }
        later(10...60_000) {
            let outcome = RoundAggregation(blobs: self.blobs, threads: 1).attempt(self.world.checker.spoil(task))
            guard case .done(let result) = outcome, self.world.mistake == .sumInOrderOfArrival else {
                return self.handle(.computed(task, outcome))
            }
            self.handle(.computed(task, .done(self.sumFloats(task) ?? result)))
        }
    }

    /// A deliberate mistake: float32 sums, which depend on the order.
    private func sumFloats(_ task: AggregationTask) -> GlobalState? {
        func values(_ digest: Digest) -> [Float] { TinyModel.values(node.disk.bytes(blobs.path(of: digest)) ?? []) }
        guard !task.strategy.hasServerState, task.training.lora == nil, task.compression == .none else {
            return nil
        }
        var sum = [Float](repeating: 0, count: TinyModel.parameters)
        for contribution in task.contributions.shuffled(using: &world.random) {
            for (index, value) in values(contribution.update).enumerated() {
                sum[index] += Float(contribution.weight) * value
            }
        }
        let rate = Float(task.strategy.learningRate) / Float(task.totalWeight)
        let next = zip(values(task.start.model), sum).map { $0 + rate * $1 }
        guard let (digest, byteCount) = try? blobs.store(TinyModel.file(next)) else { return nil }
        return GlobalState(model: digest, modelByteCount: byteCount, serverState: nil)
    }

    /// Corrupts a byte of an accepted update on the disk.
    func rot() {
        guard node.isUp, case .collecting(let collection)? = machine.state.campaign?.round.phase else { return }
        let digests = collection.accepted.values.map(\.update.manifest.update).sorted()
        guard let digest = digests.randomElement(using: &world.random) else { return }
        if node.disk.rot(blobs.path(of: digest), &world.random) { world.count("bytes rotted") }
    }
}
