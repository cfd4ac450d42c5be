extension RoundState {
    /// What follows from an update's manifest alone.
    public enum Verdict: Equatable, Sendable {
        case refused(UpdateRefusal)
        /// Not now, but perhaps soon: the site keeps the update and asks again.
        case postponed(String)
        /// The manifest is acceptable; signature and tensors must be inspected.
        case needsInspection
    }

    /// Returns what follows from the manifest alone for an update that is submitted now.
    ///
    /// - Parameters:
    ///   - manifest: The manifest, whose signature need not be verified yet.
    ///   - sender: The site in the TLS certificate.
    ///   - now: The present time.
    public func verdict(on manifest: UpdateManifest, from sender: SiteID, at now: Timestamp) -> Verdict {
        guard manifest.site == sender else {
            return .refused(UpdateRefusal(.wrongSite, "the manifest names \(manifest.site), the certificate \(sender)"))
        }
        guard manifest.campaign == plan.campaign, manifest.key <= key, manifest.key.round > 0, manifest.key.attempt > 0
        else {
            return .refused(
                UpdateRefusal(
                    .wrongRound,
                    """
                    the update is for round \(manifest.key) of \(manifest.campaign); round \(key) of \(plan.campaign) \
                    is open
                    """
                )
            )
        }
        if let refusal = contentRefusal(of: manifest) { return .refused(refusal) }
        return manifest.key.round == key.round
            ? timelyVerdict(on: manifest, at: now) : lateVerdict(on: manifest, at: now)
    }

    private func contentRefusal(of manifest: UpdateManifest) -> UpdateRefusal? {
        guard manifest.layout == plan.model?.layout else {
            return UpdateRefusal(.wrongLayout, "the update's tensors are not those of \(plan.base)")
        }
        guard manifest.samples > 0 else {
            return UpdateRefusal(.noSamples, "the update claims no samples")
        }
        return nil
    }

    /// An update for this round, perhaps trained for an earlier attempt, which started from the same model.
    private func timelyVerdict(on manifest: UpdateManifest, at now: Timestamp) -> Verdict {
        let site = manifest.site
        guard manifest.model == start.model, manifest.adapter == start.adapter?.digest else {
            return .refused(
                UpdateRefusal(
                    .wrongBase,
                    """
                    the update was trained from \(manifest.start), round \(key) starts from \
                    \(start.model.short)\(start.adapter.map { " and adapter \($0.digest.short)" } ?? "")
                    """
                )
            )
        }
        switch phase {
        case .recruiting:
            guard inheritance.asked.contains(site) else {
                return .refused(UpdateRefusal(.notInCohort, "\(site) was not asked in round \(key)"))
            }
            guard inheritance.accepted[site] == nil else { return .refused(duplicate(site)) }
            return .postponed("round \(key) is not open yet")
        case .collecting(let collection):
            guard now <= collection.deadline else {
                return .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
            }
            guard inheritance.asked.contains(site) else {
                return .refused(UpdateRefusal(.notInCohort, "\(site) was not asked in round \(key)"))
            }
            return collection.accepted[site] == nil ? .needsInspection : .refused(duplicate(site))
        case .aggregating(let collection):
            guard collection.accepted[site] == nil else { return .refused(duplicate(site)) }
            return plan.staleness.rounds > 0 && key.round < plan.rounds && inheritance.asked.contains(site)
                ? .postponed("round \(key) is closed; the next one takes late updates")
                : .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
        case .committed, .abandoned:
            return .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
        }
    }

    private func lateVerdict(on manifest: UpdateManifest, at now: Timestamp) -> Verdict {
        let age = key.round - manifest.key.round
        guard plan.staleness.rounds > 0 else {
            return .refused(
                UpdateRefusal(.late, "round \(manifest.key.round) is over, and the plan takes no late updates")
            )
        }
        guard age <= plan.staleness.rounds else {
            return .refused(
                UpdateRefusal(.late, "the update is \(age) rounds old; the plan takes \(plan.staleness.rounds)")
            )
        }
        guard let former = inheritance.former(manifest.key.round), former.missing.contains(manifest.site) else {
            return .refused(
                UpdateRefusal(.duplicate, "round \(manifest.key.round) asked nothing more of \(manifest.site)")
            )
        }
        guard manifest.model == former.model, manifest.adapter == former.adapter else {
            return .refused(
                UpdateRefusal(
                    .wrongBase,
                    """
                    the update was trained from \(manifest.start), round \(manifest.key.round) started from \
                    \(former.model.short)
                    """
                )
            )
        }
        switch phase {
        case .recruiting:
            return .postponed("round \(key) is not open yet")
        case .collecting(let collection):
            guard now <= collection.deadline else {
                return .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
            }
            return collection.late[manifest.site] == nil
                ? .needsInspection : .postponed("another late update of \(manifest.site) is in round \(key) already")
        case .aggregating:
            return age < plan.staleness.rounds && key.round < plan.rounds
                ? .postponed("round \(key) is closed; the next one takes late updates")
                : .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
        case .committed, .abandoned:
            return .refused(UpdateRefusal(.late, "round \(key) takes no more updates"))
        }
    }

    private func duplicate(_ site: SiteID) -> UpdateRefusal {
        UpdateRefusal(.duplicate, "another update of \(site) is in round \(key) already")
    }

    /// The plan's weight for an update: its number of samples, bounded, and discounted for each round of its age.
    func weight(of manifest: UpdateManifest) -> UInt32 {
        let bounded = min(manifest.samples, plan.bounds.weight)
        return plan.staleness.weight(bounded, age: max(0, key.round - manifest.key.round))
    }
}

extension UpdateManifest {
    /// What the update was trained from, for display.
    fileprivate var start: String { model.short + (adapter.map { " and adapter \($0.short)" } ?? "") }
}
