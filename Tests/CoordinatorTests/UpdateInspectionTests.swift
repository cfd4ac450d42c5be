import Blobs
import Federation
import Foundation
import Identity
import TestKit
import Tensors
import Testing
import Verification

@testable import Coordinator

/// What is decided about an update whose file was not scanned on its way, as after a restart of the coordinator.
struct UpdateInspectionTests {
    static let site = SiteID("acme/osaka")!
    static let layout = TensorLayout([("a", .f32, [5, 3])])

    let directory: TemporaryDirectory
    let fixture: ConsortiumFixture
    let blobs: BlobStore
    init() throws {
        directory = try TemporaryDirectory()
        fixture = try ConsortiumFixture()
        blobs = try BlobStore(directory: directory.file("blobs"))
    }

    private func write(_ values: [Float], to store: BlobStore) throws -> BlobReference {
        let blob = try BlobWriter(store)
        let writer = try SafetensorsWriter(blob, layout: Self.layout, metadata: [])
        try writer.append(values)
        try writer.finish()
        let (digest, byteCount) = try blob.publish()
        return BlobReference(digest: digest, byteCount: byteCount)
    }

    private func uploads() throws -> BlobStore { try BlobStore(directory: directory.file("uploads")) }

    private func inspect(_ update: BlobReference) throws -> Inspection {
        let model = try write([Float](repeating: 0, count: 15), to: blobs)
        let identity = try fixture.identity(.site(Self.site))
        let manifest = UpdateManifest(
            campaign: CampaignID("c")!,
            key: RoundKey(round: 1, attempt: 1),
            site: Self.site,
            model: model.digest,
            update: update.digest,
            updateByteCount: update.byteCount,
            layout: Digest(of: Self.layout.canonicalBytes),
            samples: 1,
            localLoss: 0,
            createdAt: fixture.now
        )
        let bytes = Array("manifest".utf8)
        let signed = SignedUpdate(
            manifest: manifest,
            manifestBytes: bytes,
            signature: try identity.key.sign(SignedUpdate.statement(bytes)),
            certificate: identity.certificate.der
        )
        let plan = Plan(
            campaign: manifest.campaign,
            base: ModelName("a")!,
            release: ModelName("b")!,
            model: ModelReference(digest: model.digest, layout: manifest.layout, byteCount: model.byteCount),
            sites: [Self.site],
            rounds: 1,
            quorum: 1,
            strategy: .fedAvg(learningRate: 1),
            bounds: Bounds(weight: 1, norm: 1),
            training: Training(localSteps: 1, batch: 1, learningRate: 1)
        )
        // Another process: it has no tags of what this one wrote.
        return UpdateInspection(blobs: blobs, uploads: try uploads(), plan: plan, roots: fixture.roots)
            .inspect(signed, certificate: identity.certificate, at: fixture.now)
    }

    @Test func aSiteIsNotRefusedForWhatTheCoordinatorsDiskHasChanged() throws {
        let update = try write((0..<15).map { Float($0) }, to: uploads())
        guard case .sound = try inspect(update) else { return fail("a sound update is refused") }
        let path = try uploads().path(of: update.digest), whole = try Data(contentsOf: URL(fileURLWithPath: path))
        // A changed value, a value that is not finite, and a header of zeros.
        for (place, byte) in [(whole.count - 1, whole.last! ^ 1), (whole.count - 1, 0x7f), (0, 0)] as [(Int, UInt8)] {
            var bytes = whole
            if place == 0 { bytes.replaceSubrange(0..<64, with: [UInt8](repeating: byte, count: 64)) }
            bytes[place] = byte
            if byte == 0x7f { bytes.replaceSubrange((whole.count - 4)..., with: [0, 0, 0xc0, 0x7f]) }
            try bytes.write(to: URL(fileURLWithPath: path))
            guard case .unsound(let refusal) = try inspect(update) else { return fail("damage is not found") }
            // The only answer after which the site sends the same update again.
            #expect(refusal.reason == .blobMissing, "\(refusal)")
            #expect(try !uploads().contains(update.digest))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("uploads/damaged")).count == 3)
    }

    private func fail(_ what: Comment) { Issue.record(what) }
}
