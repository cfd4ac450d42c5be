import Foundation

/// Columns and lines of the terminal's window.
struct WindowSize: Equatable {
    let columns: Int
    let lines: Int

    init(columns: Int, lines: Int) {
        self.columns = max(1, columns)
        self.lines = max(1, lines)
    }

    /// That of the terminal behind a descriptor, as it is now; 80 × 24 where it does not say.
    init(of descriptor: Int32) {
        var size = winsize()
        let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0
        self.init(
            columns: isKnown && size.ws_col > 0 ? Int(size.ws_col) : 80,
            lines: isKnown && size.ws_row > 0 ? Int(size.ws_row) : 24
        )
    }
}
