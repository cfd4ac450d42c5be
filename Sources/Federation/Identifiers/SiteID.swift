/// A factory site of a member: `member/site`, as in its certificate.
public struct SiteID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let member: String
    public let site: String

    public init?(member: String, site: String) {
        guard CampaignID.isValid(member), CampaignID.isValid(site) else { return nil }
        self.member = member
        self.site = site
    }

    /// Parses `member/site`; returns `nil` if `text` does not have this form.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(member: String(parts[0]), site: String(parts[1]))
    }

    public var description: String { "\(member)/\(site)" }
    public static func < (a: SiteID, b: SiteID) -> Bool { (a.member, a.site) < (b.member, b.site) }
}
