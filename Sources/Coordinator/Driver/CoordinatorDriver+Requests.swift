import Federation
import Ledger
import Wire

/// Requests of sites and operators.
extension CoordinatorDriver {
    mutating func answer(_ id: RequestID, _ request: CoordinatorRequest, at now: Timestamp) {
        do {
            switch request {
            case .submit(let update, let site): try submit(id, update, from: site, at: now)
            case .show(let receipt, let site): take(receipt, from: site, id)
            case .open(let plan, let name, let abandonsRelease):
                reply(id, .recorded(index: try open(plan, by: name, abandonsRelease: abandonsRelease, at: now)))
            case .change(let change): reply(id, .recorded(index: try self.change(change, at: now)))
            case .register(let name, let model, let by):
                reply(id, .recorded(index: try register(name, model, by: by, at: now)))
            case .cut(let cutting): reply(id, .recorded(index: try cut(cutting, at: now)))
            case .prune(let name):
                try requireStartupWaitOver()
                try self.request(at: now) { machine throws(LedgerViolation) in machine.prune(by: name, at: now) }
                reply(id, .done)
            case .declareLoss(let reason, let name, let missing):
                reply(id, .recorded(index: try declareLoss(reason, by: name, missing, at: now)))
            case .correctClock(let reason, let name):
                reply(id, .recorded(index: try correctClock(reason, by: name, at: now)))
            }
        } catch let refusal as Refusal {
            reply(id, .refused(refusal))
        } catch {
            reply(id, .refused(Refusal(.conflict, "the request \((error as? LedgerViolation)?.message ?? "\(error)")")))
        }
    }

    // MARK: Updates

    private mutating func submit(_ id: RequestID, _ update: SignedUpdate, from site: SiteID, at now: Timestamp) throws {
        if let unreadable { throw unreadable }
        guard startupWait == nil else {
            return reply(
                id,
                .submission(
                    .postponed(
                        reason: """
                            the coordinator has just started and decides nothing until its sites have reported what \
                            they have seen
                            """
                    )
                )
            )
        }
        switch machine.preliminaryAnswer(to: update.manifest, from: site, at: now) {
        case .accepted(let index): reply(id, .submission(.accepted(index: index)))
        case .postponed(let reason): reply(id, .submission(.postponed(reason: reason)))
        case .refused(let refusal):
            try settle(id, SubmissionInHand(update: update, site: site), .unsound(refusal), at: now)
        case nil:
            let state = machine.state
            guard let plan = state.campaign?.plan else {
                return try settle(
                    id,
                    SubmissionInHand(update: update, site: site),
                    .unavailable("no campaign is open"),
                    at: now
                )
            }
            submissions[id] = SubmissionInHand(update: update, site: site)
            // A former CA whose transition period has ended no longer vouches for updates.
            turn.prompt.append(.inspect(id, update, plan, endedAuthorities: state.endedAuthorities(at: now)))
        }
    }

    mutating func inspected(_ id: RequestID, _ inspection: Inspection, at now: Timestamp) {
        guard let submission = submissions[id] else { return }
        guard case .sound = inspection else { return decideSubmission(id, inspection, at: now) }
        // Publish the blob before its entry is written, so that no entry names a missing blob.
        published.insert(submission.update.manifest.update)
        turn.prompt.append(.publish(id, submission.update.manifest, inspection))
    }

    mutating func decideSubmission(_ id: RequestID, _ inspection: Inspection, at now: Timestamp) {
        guard let submission = submissions.removeValue(forKey: id) else { return }
        let digest = submission.update.manifest.update
        if !submissions.values.contains(where: { $0.update.manifest.update == digest }) { published.remove(digest) }
        do { try settle(id, submission, inspection, at: now) } catch {
            reply(id, .refused(error as? Refusal ?? Refusal(.unavailable, "\(error)")))
        }
    }

    private mutating func settle(
        _ id: RequestID,
        _ submission: SubmissionInHand,
        _ inspection: Inspection,
        at now: Timestamp
    ) throws {
        let submitted = Submission(sender: submission.site, update: submission.update, inspection: inspection)
        answering = submission
        defer { answering = nil }
        try request(at: now, answering: id) { machine throws(LedgerViolation) in
            machine.handle(.submitted(submitted), at: now)
        }
    }

    mutating func answered(_ id: RequestID, _ site: SiteID, _ answer: SubmissionAnswer) {
        reply(id, .submission(answer))
        guard let manifest = answering?.update.manifest else { return }
        switch answer {
        case .accepted(let index):
            turn.held.append(.discard(manifest.update, of: site))
            sites[site]?.record(localLoss: manifest.localLoss)
            observeWhenDurable(.updateAccepted(manifest, entry: index))
        case .refused(let refusal): observeWhenDurable(.updateRefused(manifest, from: site, refusal))
        case .postponed: break
        }
    }

    // MARK: Operators

    /// Throws a `Refusal` if the last campaign's release was not cut: only the current campaign's can be.
    func requireReleased() throws {
        guard let campaign = machine.state.unreleasedCampaign else { return }
        let (name, release, count) = (campaign.plan.campaign, campaign.plan.release, campaign.committedRounds)
        let round = campaign.end?.completed == true ? "" : " --round \(count)"
        throw Refusal(
            .conflict,
            """
            \(name) has \(counted(count, "committed round")) but no release, and opening another campaign makes its \
            release \(release) impossible
            """,
            hint: "run kumiai release cut \(release)\(round) first; to go on without it: --abandon-release"
        )
    }

    private mutating func open(
        _ plan: Plan,
        by name: String,
        abandonsRelease: Bool,
        at now: Timestamp
    ) throws -> UInt64 {
        if let index = machine.opening(of: plan) { return index }
        try requireStartupWaitOver()
        if !abandonsRelease { try requireReleased() }
        do {
            try request(at: now) { machine throws(LedgerViolation) in try machine.open(plan, by: name, at: now) }
        } catch let error as LedgerViolation {
            let isNamed = machine.state.campaign?.end != nil && machine.state.isNamed(plan.campaign)
            throw Refusal(
                .conflict,
                "a campaign cannot be opened now: the request \(error.message)",
                hint: isNamed
                    ? "that campaign has ended; choose another name: campaign = \"…\" in the plan"
                    : "see kumiai campaign status"
            )
        }
        for site in sites.keys { sites[site]?.forgetLoss() }
        turn.held.append(.sitesChanged)
        observeWhenDurable(.campaignOpened(plan.campaign, by: name))
        return machine.state.campaign!.opening.index
    }

    /// Stops, pauses, resumes or amends the campaign. Idempotent: a change that is repeated after a lost answer gets
    /// the same answer.
    private mutating func change(_ change: CampaignChange, at now: Timestamp) throws -> UInt64 {
        if let index = machine.record(of: change) { return index }
        try requireStartupWaitOver()
        do {
            try request(at: now) { machine throws(LedgerViolation) in try machine.change(change, at: now) }
        } catch let error as LedgerViolation {
            let hint =
                change.action.name == "amend"
                ? "sites and the quorum can be changed in one command: --drop, --add, --quorum; " : ""
            throw Refusal(
                .conflict,
                "\(change.campaign) cannot be changed: the request \(error.message)",
                hint: hint + "see kumiai campaign status"
            )
        }
        turn.held.append(.sitesChanged)
        return machine.state.campaign!.lastChange!.index
    }

    /// Returns the entry that registered this model under this name; `nil` if the name is free.
    ///
    /// - Throws: A `Refusal` if the name belongs to another model.
    package func registration(of name: ModelName, _ digest: Digest) throws -> UInt64? {
        guard let known = machine.state.models[name], let index = machine.state.modelEntries[name] else { return nil }
        guard known.digest == digest else {
            throw Refusal(.conflict, "\(name) is already registered for another model")
        }
        return index
    }

    private mutating func register(
        _ name: ModelName,
        _ model: ModelReference,
        by operatorName: String,
        at now: Timestamp
    ) throws -> UInt64 {
        if let index = try registration(of: name, model.digest) { return index }
        try requireStartupWaitOver()
        // In the request, not in the fold: ledgers of earlier versions may hold such an entry.
        if let campaign = machine.state.unreleasedCampaign, campaign.plan.release == name {
            throw Refusal(
                .conflict,
                "\(name) is the name of the release of \(campaign.plan.campaign), which was not cut yet",
                hint: "choose another name, or run kumiai release cut \(name) first"
            )
        }
        let index = machine.state.entryCount
        do {
            try request(at: now) { machine throws(LedgerViolation) in
                try machine.register(name, model, by: operatorName, at: now)
            }
        } catch let error as LedgerViolation {
            throw Refusal(.conflict, "\(name) cannot be registered: the request \(error.message)")
        }
        observeWhenDurable(.modelRegistered(name, model.digest, by: operatorName))
        return index
    }

    private mutating func cut(_ cutting: ReleaseCutting, at now: Timestamp) throws -> UInt64 {
        guard let campaign = machine.state.campaign else {
            throw Refusal(.notFound, "there is no campaign to release", hint: "open one: kumiai campaign open")
        }
        try requireStartupWaitOver()
        let index = machine.state.entryCount
        do {
            try request(at: now) { machine throws(LedgerViolation) in try machine.cut(cutting, at: now) }
        } catch let error as LedgerViolation {
            let (name, committed) = (cutting.name, campaign.committedRounds)
            guard name == campaign.plan.release else {
                throw Refusal(
                    .conflict,
                    "\(name) cannot be cut: the request \(error.message)",
                    hint: "the plan's release is \(campaign.plan.release)"
                )
            }
            let hint =
                committed > 0
                ? "to release a stopped campaign, choose a committed round: --round 1 to \(committed)"
                : "none of its rounds is committed: there is nothing to release"
            throw Refusal(.conflict, "\(name) cannot be cut: the request \(error.message)", hint: hint)
        }
        return index
    }

    /// Records an operator's statement that the clock was ahead.
    private mutating func correctClock(_ reason: String, by operatorName: String, at now: Timestamp) throws -> UInt64 {
        let correction = ClockCorrection(reason: reason, correctedBy: operatorName)
        let index = machine.state.entryCount
        do {
            try request(at: now, isClockCorrection: true) { machine throws(LedgerViolation) in
                try machine.correctClock(correction, at: now)
            }
        } catch let error as LedgerViolation {
            throw Refusal(
                .conflict,
                "the clock cannot be corrected: the request \(error.message)",
                hint: "the ledger's newest entry is not ahead of this machine's clock"
            )
        }
        observeWhenDurable(.clockCorrected(correction))
        return index
    }
}
