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
        let entries = [
            Entry(at: consortium.now, .founded(founding)), Entry(at: consortium.now, .campaignOpened(plan, by: "o")),
            Entry(at: consortium.now, .releaseCut(cutting)),
        ]
        let identity = try consortium.identity(.coordinator("main"))
        return try ReleaseDirectory.write(
            to: directory.file("FY2027"), lineage: Lineage(entries: entries, treeHead: "head\n"), model: model, chain: [identity.certificate], key: identity.key)
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
