import Federation
import Foundation
import Tensors

/// Where `campaign init` puts a plan: plan.toml, and in later years, when that is an earlier plan's, plan-RELEASE.toml beside it.
struct PlanPlace {
    let path: String
    /// The same plan is there already.
    let isWritten: Bool

    init(in directory: String, for plan: Plan, text: String) throws {
        let first = "\(directory)/\(PlanFile.name)"
        let isTaken = try !Self.isFree(first, for: plan, text: text)
        path = isTaken ? "\(directory)/plan-\(plan.release).toml" : first
        if isTaken, try !Self.isFree(path, for: plan, text: text) {
            throw UsageError("\(path) exists already and is the plan of another release", hint: "move it away and try again")
        }
        isWritten = FileManager.default.fileExists(atPath: path)
    }

    /// `false` where another release's plan is there. A plan of the same release that says otherwise is not replaced.
    private static func isFree(_ path: String, for plan: Plan, text: String) throws -> Bool {
        guard let bytes = try? RegularFile.read(path, atMost: TOMLFile<PlanFile>.maximumBytes) else {
            return !FileManager.default.fileExists(atPath: path)
        }
        if bytes == Array(text.utf8) { return true }
        guard let other = try? PlanFile.load(path), other.release == plan.release else { return false }
        throw UsageError(
            "\(path) exists already, and is a different plan for the release \(plan.release)", hint: "edit it and open it, or move it away and try again")
    }
}
