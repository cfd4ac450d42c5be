import Contracts
import Federation
import Tensors
import Updates

/// The training of an honest site, which depends only on the round and the model.
struct Honest {
    let format: UpdateFormat
    /// In the order of the format's layout.
    let values: [Float]
    /// The number of adapter components that the site trains, if fewer than the plan's.
    let rank: Int?
    let samples: UInt32

    init(_ site: Int, _ task: TrainingTask) {
        let model = task.model.digest.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        var random = SeededGenerator(seed: model, label: "site \(site)", round: task.key.round)
        format = TinyModel.format(task.training, task.compression, round: task.key.round)
        rank = task.training.lora.flatMap { site.isMultiple(of: 2) || $0.rank == 1 ? nil : $0.rank - 1 }
        samples = UInt32.random(in: 1...150, using: &random)
        values = (0..<format.trained.layout(rank: rank).elementCount).map { _ in
            Float.random(in: -1...1, using: &random)
        }
    }

    /// Returns the file of an update with these values.
    func file(_ values: [Float]) -> [UInt8] {
        let memory = Memory()
        do {
            try format.write(ArrayValues(values), rank: rank) {
                try SafetensorsWriter(memory, layout: $0, metadata: $1)
            }
        } catch {
            preconditionFailure("memory cannot be written: \(error)")
        }
        return memory.bytes
    }
}

/// A file in memory.
private final class Memory: ByteSink {
    private(set) var bytes: [UInt8] = []

    func append(_ bytes: UnsafeRawBufferPointer) throws { self.bytes += bytes }
    func finish() throws {}
}
