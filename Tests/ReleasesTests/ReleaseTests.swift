import Federation
import Foundation
import Identity
import TestKit
import Tensors
import Testing

@testable import Releases

/// Signed release directories.
@Suite struct ReleaseTests {
    let consortium: ConsortiumFixture
    let directory: TemporaryDirectory
    init() throws {
        consortium = try ConsortiumFixture()
        directory = try TemporaryDirectory()
    }

    func release() throws -> ReleaseDirectory {
        let model = Repository.example("base/state.safetensors")
        let digest = Digest(of: Array(try Data(contentsOf: URL(fileURLWithPath: model))))
        let reference = ModelReference(digest: digest, layout: digest, byteCount: 1)
        let site = SiteID("acme/osaka")!
        let plan = Plan(
            campaign: CampaignID("C")!, base: ModelName("FY2026")!, release: ModelName("FY2027")!, model: reference, sites: [site], rounds: 1, quorum: 1,
            strategy: .fedAvg(learningRate: 1), bounds: Bounds(weight: 1, norm: 1), training: Training(localSteps: 1, batch: 1, learningRate: 1))
        let founding = Founding(consortium: ConsortiumFixture.name, authority: digest, logKey: [], coordinatorCertificate: [], logKeySignature: [])
        let cutting = ReleaseCutting(name: plan.release, campaign: plan.campaign, model: reference, cutBy: "operator/o")
        var entries = [Entry(at: consortium.now, .founded(founding)), Entry(at: consortium.now, .modelRegistered(plan.base, reference, by: ""))]
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        var machine = CoordinatorMachine(state: state)
        var effects = try machine.open(plan, by: "operator/o", at: consortium.now) + machine.handle(.arrived(site), at: consortium.now)
        let manifest = UpdateManifest(
            campaign: plan.campaign, key: RoundKey(round: 1, attempt: 1), site: site, model: digest, update: digest, updateByteCount: 1, layout: digest,
            samples: 1, localLoss: 0, createdAt: consortium.now)
        let update = SignedUpdate(manifest: manifest, manifestBytes: [], signature: [], certificate: [])
        effects += machine.handle(.submitted(Submission(sender: site, update: update, inspection: .sound(norm: 1))), at: consortium.now)
        effects += machine.handle(
            .aggregated(manifest.key, GlobalState(model: digest, modelByteCount: 1, serverState: nil)), at: consortium.now)
        effects += try machine.cut(cutting, at: consortium.now)
        entries += effects.compactMap { if case .record(let entry) = $0 { entry } else { nil } }
        let identity = try consortium.identity(.coordinator("main"))
        return try ReleaseDirectory.write(
            to: directory.file("FY2027"), lineage: Lineage(entries: entries, of: plan.release, treeHead: "head\n"), model: model, chain: [identity.certificate],
            key: identity.key)
    }

    @Test func releaseVerifiesAndSaysWhatItIs() throws {
        let release = try release()
        #expect(try release.verify(roots: consortium.roots).role == .coordinator("main"))
        let summary = try release.summary()
        #expect(summary.release == "FY2027" && summary.base == "FY2026" && summary.consortium == ConsortiumFixture.name)
    }

    @Test func anyChangedFileIsNamed() throws {
        let release = try release()
        for name in try FileManager.default.contentsOfDirectory(atPath: release.path) {
            let file = URL(fileURLWithPath: "\(release.path)/\(name)")
            let whole = try Data(contentsOf: file)
            for index in stride(from: 0, to: whole.count, by: max(1, whole.count / 40)) {
                var bytes = whole
                bytes[index] ^= 1
                try bytes.write(to: file)
                #expect(throws: (any Error).self, "\(name) byte \(index)") { try release.verify(roots: consortium.roots) }
            }
            try whole.write(to: file)
        }
        #expect(throws: Never.self) { try release.verify(roots: consortium.roots) }
    }

    @Test func addedAndMissingFilesAreNamed() throws {
        let release = try release()
        let extra = "\(release.path)/extra"
        try "x".write(toFile: extra, atomically: true, encoding: .utf8)
        #expect(throws: ReleaseError("extra is not covered by the signature")) { try release.verify(roots: consortium.roots) }
        try FileManager.default.removeItem(atPath: extra)
        try FileManager.default.removeItem(atPath: "\(release.path)/config.json")
        #expect(throws: ReleaseError("config.json is missing")) { try release.verify(roots: consortium.roots) }
    }

    @Test func onlyTheConsortiumsCoordinatorMaySign() throws {
        let release = try release()
        #expect(throws: IdentityError(.notTrusted, "")) { try release.verify(roots: ConsortiumFixture().roots) }
    }
}
