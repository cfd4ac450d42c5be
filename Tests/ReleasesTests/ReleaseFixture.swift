import Federation
import Foundation
import Identity
import TestKit
import Tensors

@testable import Releases

/// Makes a signed release.
enum ReleaseFixture {
    /// The release FY2027 of one round of one site.
    static func release(
        _ consortium: ConsortiumFixture,
        _ identity: ConsortiumFixture.Identity,
        model: String = Repository.example("base/state.safetensors"),
        in directory: TemporaryDirectory
    ) throws -> ReleaseDirectory {
        let digest = Digest(of: Array(try Data(contentsOf: URL(fileURLWithPath: model))))
        let reference = ModelReference(digest: digest, layout: digest, byteCount: 1)
        let site = SiteID("acme/osaka")!
        let plan = Plan(
            campaign: CampaignID("C")!,
            base: ModelName("FY2026")!,
            release: ModelName("FY2027")!,
            model: reference,
            sites: [site],
            rounds: 1,
            quorum: 1,
            strategy: .fedAvg(learningRate: 1),
            bounds: Bounds(weight: 1, norm: 1),
            training: Training(localSteps: 1, batch: 1, learningRate: 1)
        )
        let genesis = Genesis(
            consortium: ConsortiumFixture.name,
            authority: digest,
            logKey: [],
            coordinatorCertificate: [],
            logKeySignature: []
        )
        let cutting = ReleaseCutting(name: plan.release, campaign: plan.campaign, model: reference, cutBy: "operator/o")
        var entries = [
            Entry(at: consortium.now, .founded(genesis)),
            Entry(at: consortium.now, .modelRegistered(plan.base, reference, by: "")),
        ]
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        var machine = CoordinatorMachine(state: state)
        var effects =
            try machine.open(plan, by: "operator/o", at: consortium.now)
            + machine.handle(.arrived(site), at: consortium.now)
        let manifest = UpdateManifest(
            campaign: plan.campaign,
            key: RoundKey(round: 1, attempt: 1),
            site: site,
            model: digest,
            update: Digest(of: [1]),
            updateByteCount: 1,
            layout: digest,
            samples: 1,
            localLoss: 0,
            createdAt: consortium.now
        )
        let update = SignedUpdate(manifest: manifest, manifestBytes: [], signature: [], certificate: [])
        effects += machine.handle(
            .submitted(Submission(sender: site, update: update, inspection: .sound(norm: 1))),
            at: consortium.now
        )
        effects += machine.handle(
            .aggregated(manifest.key, GlobalState(model: digest, modelByteCount: 1, serverState: nil)),
            at: consortium.now
        )
        effects += try machine.cut(cutting, at: consortium.now)
        entries += effects.compactMap { if case .record(let entry) = $0 { entry } else { nil } }
        return try ReleaseDirectory.write(
            to: directory.file("FY2027"),
            lineage: Lineage(entries: entries, of: plan.release, treeHead: "head\n"),
            model: { try FileManager.default.copyItem(atPath: model, toPath: $0) },
            chain: [identity.certificate],
            key: identity.key
        )
    }
}
