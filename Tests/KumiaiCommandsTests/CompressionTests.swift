import Demonstrations
import Policies
import Trainers
import Blobs
import Federation
import Foundation
import Logging
import TestKit
import Tensors
import Testing

@testable import Coordinator
@testable import Worker

/// The cost of each form of an update: its bytes, and how much worse the model becomes on the sample data.
@Suite(.serialized) struct CompressionTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let tasks = ["window-open", "drawer-open", "faucet-open"]
    private static let rounds = 8

    /// Three sites learn the sample tasks, with the same code that workers and coordinators use.
    private func learn(_ compression: Compression) throws -> (error: Double, bytes: UInt64) {
        let base = try SafetensorsFile(path: Repository.example("base/state.safetensors"))
        let folder = "\(directory.path)/\(UUID())"
        let blobs = try BlobStore(directory: folder + "/blobs")
        let (digest, byteCount) = try blobs.add(copyOf: Repository.example("base/state.safetensors"))
        let training = Training(
            localSteps: 10,
            batch: 32,
            learningRate: 1e-3,
            schedule: RateSchedule(.linear, decayTo: 0.5)
        )
        var state = GlobalState(model: digest, modelByteCount: byteCount, serverState: nil)
        var bytes: UInt64 = 0
        for round in 1...Self.rounds {
            let model = ModelReference(
                digest: state.model,
                layout: Digest(of: base.layout.canonicalBytes),
                byteCount: state.modelByteCount
            )
            var contributions: [AggregationTask.Contribution] = []
            for task in Self.tasks {
                let site = SiteID("member/\(task)")!, own = "\(folder)/\(task)"
                try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let trainer = NativeTrainer(
                    .init(demonstrations: Repository.example("sites/\(task).hdf5"), threads: 2, directory: own),
                    site: site,
                    logger: logger,
                    reader: DemonstrationReader(program: [Shell.kumiai, DemonstrationReader.verb])
                )
                let publisher = UpdatePublisher(site: site, directory: own, blobs: blobs, logger: logger)
                let turn = TrainingTask(
                    campaign: CampaignID("C")!,
                    key: RoundKey(round: round, attempt: 1),
                    rounds: Self.rounds,
                    model: model,
                    deadline: Timestamp(milliseconds: .max),
                    training: training,
                    compression: compression
                )
                let update = try publisher.publish(
                    trainer.train(publisher.job(for: turn)) { _, _ in },
                    of: turn
                ) {}
                bytes += update.byteCount
                contributions.append(.init(site: site, update: update.digest, weight: 100))
            }
            let aggregation = AggregationTask(
                key: RoundKey(round: round, attempt: 1),
                start: state,
                strategy: .fedAvgM(learningRate: 1, momentum: 0.7),
                training: training,
                compression: compression,
                isLastRound: round == Self.rounds,
                bound: 100,
                scaleBits: FixedPoint.scaleBits(bound: 100, totalWeight: 300),
                productScaleBits: 0,
                contributions: contributions
            )
            guard case .done(let next) = RoundAggregation(blobs: blobs, threads: 2).attempt(aggregation) else {
                throw Failed()
            }
            state = next
        }
        let policy = try Policy(SafetensorsFile(path: blobs.path(of: state.model)))
        let errors = try Self.tasks.map { task in
            let valid = try DemonstrationFiles.read(
                Repository.example("sites/\(task).hdf5"),
                split: .valid,
                for: policy.configuration
            )
            return Evaluation.error(of: policy, on: valid, threads: 2)
        }
        return (errors.reduce(0, +) / Double(errors.count), bytes)
    }

    private struct Failed: Error {}

    @Test func lessToSendLearnsAlmostAsWell() throws {
        let whole = try learn(.none)
        print("compression: none \(whole.error), \(whole.bytes) bytes")
        // The largest allowed ratios to the uncompressed error and bytes.
        let kinds: [(Compression, error: Double, bytes: Double)] = [
            (.bfloat16, 1.1, 0.51), (.int8(block: 256), 1.1, 0.26), (.topK(fraction: 0.05), 2, 0.11),
        ]
        for kind in kinds {
            let found = try learn(kind.0)
            print("compression: \(kind.0) \(found.error), \(found.bytes) bytes")
            #expect(found.error < whole.error * kind.error, "\(kind.0): \(found.error) against \(whole.error)")
            #expect(Double(found.bytes) < Double(whole.bytes) * kind.bytes)
        }
    }

    @Test func whatTopKLeavesOutIsInTheNextUpdateOnce() throws {
        let layout = Digest([UInt8](repeating: 1, count: 32))!
        func feedback(_ campaign: String = "C", _ digest: Digest = layout) -> ErrorFeedback {
            ErrorFeedback(directory: directory.path, campaign: CampaignID(campaign)!, layout: digest, count: 2)
        }
        func rest(_ feedback: ErrorFeedback, before round: Int) throws -> [Float] {
            var values: [Float] = []
            try feedback.rest(before: round)?.forEachBlock { values += $0 }
            return values.isEmpty ? [0, 0] : values
        }
        #expect(try rest(feedback(), before: 1) == [0, 0])
        try feedback().keep(ArrayValues([1, 2]), of: 1)
        // If a round is trained again, the first starts from nothing, and the second from the first one's remainder.
        #expect(try rest(feedback(), before: 1) == [0, 0] && rest(feedback(), before: 2) == [1, 2])
        try feedback().keep(ArrayValues([3, 4]), of: 2)
        #expect(try rest(feedback(), before: 2) == [1, 2] && rest(feedback(), before: 3) == [3, 4])
        // A refused update's remainder is dropped: the next update starts from the remainder before it.
        ErrorFeedback.forget(round: 2, in: directory.path)
        #expect(try rest(feedback(), before: 3) == [1, 2])
        try feedback().keep(ArrayValues([3, 4]), of: 2)
        // The remainder of another campaign or another factor is not used.
        let other = Digest([UInt8](repeating: 2, count: 32))!
        #expect(try rest(feedback("D"), before: 3) == [0, 0] && rest(feedback("C", other), before: 3) == [0, 0])
        try feedback("C", other).keep(ArrayValues([5, 6]), of: 3)
        #expect(try rest(feedback(), before: 4) == [3, 4] && rest(feedback("C", other), before: 4) == [5, 6])
        for round in 4...9 { try feedback().keep(ArrayValues([0, 0]), of: round) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count <= 3)
    }
}
