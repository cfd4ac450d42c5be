import Blobs
import Federation
import Foundation
import Identity
import Tensors
import TestKit
import Testing

@testable import Worker

/// The sizes that a coordinator announces are checked before the first byte.
@Suite(.serialized) struct DownloadTests {
    let directory: TemporaryDirectory
    let blobs: BlobStore
    init() throws {
        directory = try TemporaryDirectory()
        blobs = try BlobStore(directory: directory.file("blobs"))
    }

    func task(
        model: BlobReference,
        layout: Digest = Digest(of: "layout"),
        adapter: BlobReference? = nil,
        lora: LoRA? = nil
    ) -> TrainingTask {
        TrainingTask(
            campaign: CampaignID("C1")!,
            key: RoundKey(round: 2, attempt: 1),
            rounds: 3,
            model: ModelReference(digest: model.digest, layout: layout, byteCount: model.byteCount),
            adapter: adapter,
            deadline: Timestamp(milliseconds: 1),
            training: Training(localSteps: 1, batch: 1, learningRate: 1e-3, lora: lora)
        )
    }

    func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing"
        } catch {
            return "\(error) \((error as? WorkerError)?.hint ?? "")"
        }
    }

    @Test func aModelOverTheSitesOwnLimitIsRefusedByNumberLimitAndRemedy() throws {
        let check = DownloadCheck(blobs: blobs, largestBytes: 1000)
        let tebibyte = BlobReference(digest: Digest(of: "m"), byteCount: 1 << 40)
        let text = message { try check.check(task(model: tebibyte)) }
        for part in ["\(UInt64(1) << 40)", "at most 1000", "largest_model_gb"] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(message { try check.check(tebibyte.digest, byteCount: tebibyte.byteCount) }.contains("at most 1000"))
        // The same for an adapter beside a small model, and for an impossible size.
        let small = BlobReference(digest: Digest(of: "s"), byteCount: 1000)
        let lora = LoRA(rank: 2, alpha: 4, targets: ["a"], aggregation: .average)
        #expect(message { try check.check(task(model: small, adapter: tebibyte, lora: lora)) }.contains("at most 1000"))
        #expect(
            message { try check.check(task(model: BlobReference(digest: small.digest, byteCount: 7))) }.contains(
                "7 bytes"
            )
        )
        #expect(message { try check.check(task(model: small)) } == "nothing")
        #expect(blobs.unfinished().isEmpty)
    }

    @Test func aModelForWhichThereIsNoRoomIsNotBegun() throws {
        let check = DownloadCheck(blobs: blobs, largestBytes: 1 << 40, freeBytes: { _ in 999 })
        #expect(
            message { try check.check(Digest(of: "m"), byteCount: 1000) }.contains(
                "1000 bytes must be fetched, but only 999 are free"
            )
        )
        #expect(message { try check.check(Digest(of: "m"), byteCount: 999) } == "nothing")
        // Bytes that have arrived already need no more disk space.
        let spool = try blobs.spool(Digest(of: "m"), byteCount: 1000)
        try [UInt8](repeating: 0, count: 10).withUnsafeBytes { _ = try spool.append($0, at: 0) }
        #expect(message { try check.check(Digest(of: "m"), byteCount: 1000) } == "nothing")
    }

    /// A campaign's final model is stored beside earlier ones, and only if it is a valid model.
    @Test func aFinalModelIsNeverOverwritten() throws {
        func model(_ value: Float) throws -> Digest {
            let path = directory.file("m"), layout = TensorLayout([(name: "a", type: .f32, shape: [2])])
            let writer = try SafetensorsWriter(path: path, layout: layout)
            try writer.append([value, value])
            try writer.finish()
            return try blobs.add(copyOf: path).digest
        }
        let campaign = CampaignID("C1")!, (first, second) = (try model(1), try model(2))
        let path = try FinalModel.keep(blobs, first, of: campaign, in: directory.path)
        let bytes = FileManager.default.contents(atPath: path)
        let other = try FinalModel.keep(blobs, second, of: campaign, in: directory.path)
        #expect(other != path && FileManager.default.contents(atPath: path) == bytes)
        #expect(try FinalModel.keep(blobs, first, of: campaign, in: directory.path) == path)
        let junk = try blobs.add(copyOf: directory.write("junk", Array("{}".utf8))).digest
        #expect(throws: (any Error).self) {
            try FinalModel.keep(blobs, junk, of: CampaignID("C2")!, in: directory.path)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file(FinalModel.folder)).count == 2)
    }

    @Test func theSystemSaysHowMuchRoomThereIs() throws {
        let free = try #require(SystemDisk.freeBytes(at: directory.path))
        #expect(free > 0 && SystemDisk.freeBytes(at: directory.file("nothing")) == nil)
    }

    @Test func aModelOrAnAdapterOfAnotherSizeThanThePlansIsRefused() throws {
        let base = TensorLayout([(name: "a.weight", type: .f32, shape: [300, 500])])
        let path = directory.file("model")
        let writer = try SafetensorsWriter(path: path, layout: base)
        try writer.append([Float](repeating: 0, count: 150_000))
        try writer.finish()
        let (digest, byteCount) = try blobs.add(copyOf: path)
        let check = DownloadCheck(blobs: blobs, largestBytes: 1 << 40)
        let layout = Digest(of: base.canonicalBytes)
        func outcome(_ bytes: UInt64, adapter: UInt64? = nil) -> String {
            let lora = LoRA(rank: 2, alpha: 4, targets: ["a"], aggregation: .average)
            let adapter = adapter.map { BlobReference(digest: Digest(of: "adapter"), byteCount: $0) }
            return message {
                try check.check(
                    task(
                        model: BlobReference(digest: digest, byteCount: bytes),
                        layout: layout,
                        adapter: adapter,
                        lora: lora
                    )
                )
            }
        }
        #expect(outcome(byteCount) == "nothing")
        #expect(outcome(byteCount + (32 << 20)).contains("a model of \(byteCount + (32 << 20)) bytes"))
        #expect(outcome(600_000).contains("a model of 600000 bytes"))
        // Two factors of rank 2: (300 + 500) · 2 numbers.
        #expect(outcome(byteCount, adapter: 6400 + 200) == "nothing")
        #expect(outcome(byteCount, adapter: 6400 + (32 << 20)).contains("an adapter of"))
        #expect(outcome(byteCount, adapter: 6400).contains("an adapter of 6400 bytes"))
    }

    @Test func aWorkerThatIsAnnouncedTooLargeAModelSaysSoAndFetchesNothing() throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        let link = FaultyLink(to: consortium.port)
        defer { link.close() }
        let file = "acme-osaka/worker.toml"
        try consortium.edit(
            file,
            "coordinator = \"127.0.0.1:\(consortium.port)\"",
            "coordinator = \"127.0.0.1:\(link.port)\""
        )
        try consortium.edit(file, "largest_model_gb = 64.0", "largest_model_gb = 0.001")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        func log() -> String { consortium.log("acme-osaka") }
        // It is reported once, and again after a pause.
        #expect(
            consortium.wait { log().components(separatedBy: "this site accepts at most 1000000").count > 2 },
            "\(log())"
        )
        #expect(log().contains("raise largest_model_gb"))
        #expect(link.bytesDown < 100_000)
        let partial = consortium.path("acme-osaka/data/blobs/partial")
        #expect(try FileManager.default.contentsOfDirectory(atPath: partial).isEmpty)
        let status = try consortium.attempt(["worker", "status", "--config", consortium.path(file)])
        #expect((status.output + status.error).contains("this site accepts at most"), "\(status.output)")
        let doctor = try consortium.attempt(["worker", "doctor", "--config", consortium.path(file)])
        #expect(
            doctor.status != 0 && (doctor.output + doctor.error).contains("this site accepts at most"),
            "\(doctor.output)"
        )
        #expect(consortium.stop(worker) == 0)
        try consortium.edit(file, "largest_model_gb = 0.001", "largest_model_gb = 0.002")
        let again = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(log())")
        again.waitUntilExit()
        #expect(try consortium.finish(coordinator).status == 0)
    }
}
