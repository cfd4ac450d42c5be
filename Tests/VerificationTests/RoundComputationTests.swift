import Aggregation
import Blobs
import Federation
import TestKit
import Tensors
import Testing
import Updates

@testable import Verification

/// A round that is computed from the coordinator's store, and again from an auditor's own store.
@Suite struct RoundComputationTests {
    let directory: TemporaryDirectory
    let blobs: BlobStore
    init() throws {
        directory = try TemporaryDirectory()
        blobs = try BlobStore(directory: directory.file("blobs"))
    }

    static let layout = TensorLayout([("a", .f32, [5, 3]), ("b", .f32, [7])])
    static let training = Training(localSteps: 1, batch: 1, learningRate: 1)

    private func blob(_ values: [Float]) throws -> BlobReference {
        let blob = try BlobWriter(blobs)
        let writer = try SafetensorsWriter(blob, layout: Self.layout, metadata: [])
        try writer.append(values)
        try writer.finish()
        let (digest, byteCount) = try blob.publish()
        return BlobReference(digest: digest, byteCount: byteCount)
    }

    private func values(_ scale: Float) -> [Float] { (0..<Self.layout.elementCount).map { Float($0) * scale } }

    private func manifest(_ update: BlobReference, byteCount: UInt64? = nil) -> UpdateManifest {
        UpdateManifest(
            campaign: CampaignID("c")!,
            key: RoundKey(round: 1, attempt: 1),
            site: SiteID("acme/osaka")!,
            model: Digest(of: "m"),
            update: update.digest,
            updateByteCount: byteCount ?? update.byteCount,
            layout: Digest(of: Self.layout.canonicalBytes),
            samples: 1,
            localLoss: 0,
            createdAt: Timestamp(milliseconds: 0)
        )
    }

    @Test func theResultIsTheSameInAnotherStore() throws {
        let model = try blob(values(1)), updates = try [blob(values(0.5)), blob(values(-0.25))]
        let task = AggregationTask(
            key: RoundKey(round: 1, attempt: 1),
            start: GlobalState(model: model.digest, modelByteCount: model.byteCount, serverState: nil),
            strategy: .fedAvgM(learningRate: 1, momentum: 0.5),
            training: Self.training,
            isLastRound: false,
            bound: 1000,
            scaleBits: FixedPoint.scaleBits(bound: 1000, totalWeight: 100),
            productScaleBits: 0,
            contributions: updates.enumerated().map { .init(site: SiteID("s/\($0)")!, update: $1.digest, weight: 10) }
        )
        let other = try BlobStore(directory: directory.file("other"))
        let replayed = try RoundComputation(from: blobs, to: other, threads: 2).run(task)
        #expect(
            !blobs.contains(replayed.model) && other.contains(replayed.model)
                && replayed.serverState.map(other.contains) == true
        )
        #expect(try RoundComputation(from: blobs, to: blobs, threads: 1).run(task) == replayed)
        #expect(blobs.contains(replayed.model))
        let result = try SafetensorsFile(blobs, replayed.model).float32s()
        #expect(zip(result, values(1.125)).allSatisfy { abs($0 - $1) < 1e-4 }, "\(result)")
    }

    @Test func aRoundWithoutOneOfItsUpdatesLeavesNothing() throws {
        let model = try blob(values(1)), gone = try blob(values(2))
        blobs.remove(gone.digest)
        let task = AggregationTask(
            key: RoundKey(round: 1, attempt: 1),
            start: GlobalState(model: model.digest, modelByteCount: model.byteCount, serverState: nil),
            strategy: .fedAvg(learningRate: 1),
            training: Self.training,
            isLastRound: false,
            bound: 1,
            scaleBits: 10,
            productScaleBits: 0,
            contributions: [.init(site: SiteID("s/1")!, update: gone.digest, weight: 1)]
        )
        let other = try BlobStore(directory: directory.file("other"))
        #expect(throws: BlobError.self) { try RoundComputation(from: blobs, to: other, threads: 1).run(task) }
        #expect(try other.all().isEmpty)
    }

    @Test func anUpdateIsWhatItsManifestSays() throws {
        let contents = UpdateContents(Self.training, .none, base: Self.layout)
        let sound = try blob(values(1))
        let norm = values(1).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(try contents.inspect(manifest(sound), in: blobs) == .sound(norm: norm))
        func reason(_ inspection: Inspection) -> UpdateRefusal.Reason? {
            if case .unsound(let refusal) = inspection { refusal.reason } else { nil }
        }
        #expect(try reason(contents.inspect(manifest(sound, byteCount: 1), in: blobs)) == .blobMissing)
        var odd = values(1)
        odd[4] = .infinity
        #expect(try reason(contents.inspect(manifest(blob(odd)), in: blobs)) == .notFinite)
        let other = UpdateContents(Self.training, .none, base: TensorLayout([("a", .f32, [22])]))
        #expect(try reason(other.inspect(manifest(sound), in: blobs)) == .wrongLayout)
        let writer = try BlobWriter(blobs)
        try [UInt8](repeating: 7, count: 40).withUnsafeBytes { try writer.append($0) }
        let (digest, byteCount) = try writer.publish()
        #expect(
            try reason(contents.inspect(manifest(BlobReference(digest: digest, byteCount: byteCount)), in: blobs))
                == .malformed
        )
    }
}
