import Federation

/// An operator that stops, pauses, resumes and amends the campaign, and remembers what the coordinator has confirmed.
final class SimulatedOperator {
    private unowned let world: World
    private var dropped: [SiteID] = []

    init(_ world: World) { self.world = world }

    /// Makes one change that the campaign's state allows.
    func act() {
        guard let campaign = openCampaign else { return }
        if campaign.pause != nil { return change(.resume) }
        switch Int.random(in: 0..<40, using: &world.random) {
        case 0: change(.stop)
        case 1..<16:
            change(.pause)
            world.schedule(after: Int.random(in: 60_000...7_200_000, using: &world.random)) { self.resume() }
        case 16..<26:
            if let site = campaign.plan.sites.randomElement(using: &world.random) { drop(site, campaign.plan) }
        case 26..<34: if let site = dropped.first { change(.amend(PlanAmendment(addedSites: [site]))) }
        default:
            let deadline = [900, 3600, 14_400].randomElement(using: &world.random)!
            change(
                .amend(
                    PlanAmendment(
                        quorum: Int.random(in: 1...campaign.plan.sites.count, using: &world.random),
                        deadlineSeconds: deadline
                    )
                )
            )
        }
    }

    /// Called when the faults have ended: ends a pause.
    func settle() { resume() }

    private var openCampaign: CampaignState? {
        guard world.coordinator.node.isUp, let campaign = world.coordinator.machine.state.campaign, campaign.end == nil
        else { return nil }
        return campaign
    }

    private func drop(_ site: SiteID, _ plan: Plan) {
        guard plan.sites.count > 1 else { return }
        change(.amend(PlanAmendment(droppedSites: [site], quorum: min(plan.quorum, plan.sites.count - 1))))
    }

    /// Retries until it is done, because the coordinator may be down or its disk full.
    private func resume() {
        guard let campaign = openCampaign else {
            return world.coordinator.hasEnded ? () : world.schedule(after: 60_000) { self.resume() }
        }
        guard campaign.pause != nil else { return }
        change(.resume)
        world.schedule(after: 60_000) { self.resume() }
    }

    private func change(_ action: CampaignChange.Action) {
        let change = CampaignChange(
            campaign: world.scenario.plan.campaign,
            action: action,
            reason: "as it was simulated",
            changedBy: "operator/sim"
        )
        world.checker.attempting(change)
        world.coordinator.change(change) { self.confirmed(change) }
    }

    private func confirmed(_ change: CampaignChange) {
        world.count("changes")
        world.trace("the operator's \(change.action.name) is done")
        if case .amend(let amendment) = change.action {
            dropped = dropped.filter { !amendment.addedSites.contains($0) } + amendment.droppedSites
        }
        world.checker.changed(change)
    }
}
