/// What is wrong at a site: in words that may leave it, and with what stays there.
///
/// An error may name files, instructions or values of demonstrations. The coordinator hears only what kind of trouble
/// it is; the whole text is for this site's log and status.
package struct SiteTrouble: Equatable, Sendable {
    /// Told to the coordinator. Written here, and never taken from an error.
    let summary: String
    let detail: String

    init(_ summary: String, detail: String = "") {
        self.summary = summary
        self.detail = detail
    }

    /// For the people at this site.
    var text: String { detail.isEmpty ? summary : "\(summary): \(detail)" }
}
