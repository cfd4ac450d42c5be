import Federation
import Wire

/// Valid values of every kind.
enum Samples {
    static func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }
    static let site = SiteID("acme/osaka")!
    static let campaign = CampaignID("C1")!
    /// As `campaign init` writes it.
    static let initialPlan = Plan.initial(
        campaign: campaign,
        base: ModelName("A")!,
        release: ModelName("B")!,
        sites: [site],
        rounds: 3,
        seed: 1
    )
    static let key = RoundKey(round: 3, attempt: 2)
    static let time = Timestamp(milliseconds: 1_780_000_000_000)
    static let model = ModelReference(digest: digest(1), layout: digest(2), byteCount: 1000)
    static let training = Training(
        localSteps: 0,
        localEpochs: 2,
        batch: 32,
        learningRate: 1e-3,
        schedule: RateSchedule(.cosine, warmupRounds: 1),
        proximal: 0.1,
        lora: LoRA(rank: 4, alpha: 8, targets: ["a", "b"])
    )
    static let plan = Plan(
        campaign: campaign,
        base: ModelName("FY2026")!,
        release: ModelName("FY2027")!,
        model: model,
        sites: [site],
        rounds: 3,
        quorum: 1,
        extensions: Extensions(seconds: 60, maximum: 1),
        staleness: StalenessPolicy(rounds: 1, weightPercent: 50),
        retentionSeconds: 60,
        strategy: .fedYogi(AdaptiveMoments(learningRate: 0.1)),
        bounds: Bounds(weight: 100, norm: 10),
        training: training
    )
    static let manifest = UpdateManifest(
        campaign: campaign,
        key: key,
        site: site,
        model: digest(1),
        update: digest(3),
        updateByteCount: 5,
        layout: digest(2),
        samples: 7,
        localLoss: 0.25,
        createdAt: time
    )
    static let update = SignedUpdate(
        manifest: manifest,
        manifestBytes: manifest.wireBytes,
        signature: [1, 2],
        certificate: [3, 4]
    )
    static let end = CampaignEnd(campaign: campaign, completed: true, reason: "done", model: digest(8))
    static let receipt = Receipt(
        index: 4,
        entry: Entry(at: time, .campaignEnded(end)).wireBytes,
        proof: [digest(1), digest(2)],
        treeHead: "head\n"
    )

    static let change = CampaignChange(
        campaign: campaign,
        action: .amend(
            PlanAmendment(
                addedSites: [site],
                droppedSites: [SiteID("bolt/turin")!],
                quorum: 1,
                recruitingSeconds: 0,
                recruitingDeadlineSeconds: 9,
                deadlineSeconds: 8,
                extensions: Extensions(seconds: 7, maximum: 6)
            )
        ),
        reason: "why",
        changedBy: "operator/o"
    )
    static let loss = LossDeclaration(lostTreeHead: "head\n", keptEntries: 3, reason: "why", declaredBy: "operator/o")
    static let rotation = AuthorityRotation(
        authority: [1, 2],
        authorityDigest: digest(1),
        former: digest(2),
        formerEnds: time,
        formerSignature: [3],
        newSignature: [4],
        rotatedBy: "operator/o"
    )

    static let entries = [
        .founded(
            Genesis(
                consortium: "c",
                authority: digest(1),
                logKey: [UInt8](repeating: 4, count: 32),
                coordinatorCertificate: [5],
                logKeySignature: [6]
            )
        ),
        .modelRegistered(ModelName("A")!, model, by: ""), .campaignOpened(plan, by: "operator/o"),
        .roundOpened(
            RoundOpening(
                campaign: campaign,
                key: key,
                cohort: [site],
                model: digest(1),
                adapter: digest(5),
                serverState: digest(2),
                deadline: time
            )
        ),
        .roundExtended(RoundExtension(key: key, deadline: time, reason: "why")),
        .updateAccepted(AcceptedUpdate(update: update, weight: 7, norm: 1.5)),
        .updateRefused(RefusedUpdate(site: site, key: key, digest: digest(1), refusal: UpdateRefusal(.late, "detail"))),
        .roundClosed(key),
        .roundCommitted(
            RoundCommit(
                key: key,
                result: GlobalState(
                    model: digest(1),
                    modelByteCount: 3,
                    adapter: BlobReference(digest: digest(6), byteCount: 2),
                    serverState: digest(4)
                ),
                scaleBits: 36,
                totalWeight: 9
            )
        ),
        .roundAbandoned(RoundAbandonment(key: key, reason: "why", without: [site])), .campaignEnded(end),
        .releaseCut(ReleaseCutting(name: ModelName("B")!, campaign: campaign, model: model, cutBy: "operator/o")),
        .releaseCut(
            ReleaseCutting(name: ModelName("B")!, campaign: campaign, model: model, cutBy: "operator/o", round: 2)
        ),
        .updatesPruned(Pruning(campaign: campaign, throughRound: 2, prunedBy: "operator/o")), .campaignChanged(change),
        .clockCorrected(ClockCorrection(reason: "why", correctedBy: "operator/o")), .lossDeclared(loss),
        .authorityRotated(rotation),
    ].map { (body: Entry.Body) in Entry(at: time, body) }

    static let heartbeat = Heartbeat(
        activity: .training,
        round: 3,
        progress: 0.5,
        localLoss: 0.25,
        bytesUp: 1,
        bytesDown: 2,
        problem: "a disk is full",
        displayName: "大阪工場"
    )

    static let clientMessages = [
        .hello(Hello(purpose: .bulk, software: "kumiai", treeHead: "head\n")), .heartbeat(heartbeat),
        .submitUpdate(update),
        .offerBlob(digest(1), byteCount: 9),
        .blobChunk(BlobChunk(offset: 3, payload: Payload([1, 2, 3]))), .fetchBlob(digest(2), offset: 3),
        .openCampaign(plan),
        .cutRelease(ModelName("B")!, round: 3, adapterRank: 4), .pruneUpdates(dryRun: true), .getStatus,
        .changeCampaign(change), .registerModel(ModelName("B")!, BlobReference(digest: digest(6), byteCount: 2)),
        .declareLoss(reason: "why"),
        .correctClock(reason: "why"), .presentReceipt(receipt), .describeModel(ModelName("B")!),
        .goodbye(reason: "bye"),
    ].map { (message: ClientMessage) in ClientFrame(id: 7, message) }

    static let serverMessages = [
        .welcome(
            Welcome(
                version: 1,
                consortium: "c",
                time: time,
                heartbeatSeconds: 5,
                chunkBytes: 9,
                logKey: [1],
                logKeySignature: [2],
                model: BlobReference(digest: digest(6), byteCount: 2),
                treeHead: "head\n",
                consistencyProof: [digest(7)],
                loss: receipt
            )
        ),
        .refusal(Refusal(.limit, "too many", hint: "fewer")), .heartbeatSeen(time), .assignment(.rest(reason: "why")),
        .assignment(.finished(end, model: BlobReference(digest: digest(6), byteCount: 2))),
        .assignment(
            .train(
                TrainingTask(
                    campaign: campaign,
                    key: key,
                    rounds: 4,
                    model: model,
                    adapter: BlobReference(digest: digest(6), byteCount: 2),
                    deadline: time,
                    training: training,
                    lateRounds: 1,
                    lostUpdate: receipt
                )
            )
        ),
        .receipt(receipt), .updateRefused(UpdateRefusal(.duplicate, "again")),
        .blobProgress(durable: 4, complete: false), .blobStart(byteCount: 9),
        .blobChunk(BlobChunk(offset: 3, payload: Payload([1, 2, 3]))), .campaignAccepted(campaign, index: 4),
        .releaseReady(ModelName("B")!, model: digest(1), directory: "/d", discardedEnergy: 0.5),
        .updatesRemoved(RemovalReport(rounds: 1, blobs: 2, byteCount: 3)), .receiptSeen(isHeld: true),
        .recorded(index: 4),
        .modelDescription(
            ModelListing(
                name: ModelName("B")!,
                files: [ModelListing.File(path: "a/b.txt", blob: BlobReference(digest: digest(6), byteCount: 2))],
                proof: receipt
            )
        ),
        .status(
            StatusReport(
                consortium: "c",
                time: time,
                ledgerEntries: 3,
                treeHead: "head",
                campaign: nil,
                sites: [
                    SiteReport(
                        site: site,
                        isConnected: true,
                        heartbeat: heartbeat,
                        updatesAccepted: 1,
                        updatesRefused: 0,
                        lastSeen: time
                    )
                ],
                models: ["A"],
                problems: ["the clock is wrong"]
            )
        ),
    ].map { (message: ServerMessage) in ServerFrame(inReplyTo: 7, message) }
}
