"""The echoes of one peer: each shown as it is answered, and the figures in the end."""

from __future__ import annotations

from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import Exit
from pacs_cli.net.target import Target
from pacs_cli.pipelines.echoing import OFFER, status_failure, verification_context
from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_status
from pacs_cli.services.results import EchoResult, Phases
from pacs_cli.services.scu import Session


class EchoRun:
    """Echoes a peer over one association."""

    def __init__(self, report: Report, target: Target) -> None:
        self._report = report
        self._target = target
        self._results: list[EchoResult] = []
        self._asked = 0
        self._phases = Phases()

    def run(self, repeat: int, interval: float) -> Exit:
        """Echo so many times; what there is by then is added up however it ends.

        interval  seconds between the end of an echo and the next
        raises    PeerFailure when an echo was answered with a failure, and as `Session`
        """
        try:
            self._echo(repeat, interval)
        finally:
            if self._results:
                self._show_summary()
        failed = next((each.status for each in self._results if each.status), 0)
        if failed:
            raise status_failure(self._target, failed)
        return Exit.OK

    def _echo(self, repeat: int, interval: float) -> None:
        display = Display(self._report)
        with Session(self._target, OFFER, trace=display.trace) as session:
            self._phases = session.phases
            display.opened(session)
            context = verification_context(session)
            for number in range(1, repeat + 1):
                if number > 1 and interval:
                    # over when the peer says something meanwhile, which can only be its goodbye
                    session.has_arrived(interval)
                self._asked = number
                self._results.append(session.echo(context.id))
                self._show(number)
        self._phases = session.phases

    def _show(self, number: int) -> None:
        result = self._results[-1]
        self._report.record(
            "echo",
            {
                "peer": self._target.name,
                "number": number,
                "status": f"{result.status:04X}",
                "seconds": round(result.seconds, 6),
            },
        )
        words = explain_status(result.status).partition(";")[0]
        self._report.line(
            f"{self._target} answered C-ECHO {number}: {words}, {result.seconds * 1000:.2f} ms"
        )

    def _show_summary(self) -> None:
        seconds = sorted(result.seconds for result in self._results)
        succeeded = sum(result.status == 0 for result in self._results)
        figures = {
            "min": seconds[0],
            "avg": sum(seconds) / len(seconds),
            "p95": seconds[-(-95 * len(seconds) // 100) - 1],
            "max": seconds[-1],
        }
        phases = self._phases
        spent = {
            "name": phases.name,
            "tcp": phases.tcp,
            "tls": phases.tls,
            "association": phases.association,
            "release": phases.release,
        }
        loss = 100 * (self._asked - succeeded) / self._asked
        text = "phases in ms: " + ", ".join(f"{k} {v * 1000:.2f}" for k, v in spent.items())
        if self._asked > 1:
            echoes = ", ".join(f"{k} {v * 1000:.2f}" for k, v in figures.items())
            text = (
                f"{succeeded} of {self._asked} succeeded, loss {loss:.3g} %; echo in ms: {echoes}; "
                f"{text}"
            )
        fields = {f"{k}_seconds": round(v, 6) for k, v in {**figures, **spent}.items()}
        counts = {"echoes": self._asked, "succeeded": succeeded, "loss_percent": round(loss, 3)}
        self._report.summary({"peer": self._target.name, **counts, **fields}, text)
