import { useState } from "react";
import { endOtherSessions, endSession, type OpenSession, useOpenSessions } from "@/api/account";
import { useTexts } from "@/i18n";
import { ago, exactMoment, moment } from "@/lib/time";
import { shortAgent } from "@/pages/settings/agents";
import { AskDialog } from "@/ui/AskDialog";
import { Button } from "@/ui/Button";
import { Badge, Card } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

/** Where one is signed in, and ending that. */
export function SessionsCard() {
  const t = useTexts("settings");
  const sessions = useOpenSessions();
  const [ending, setEnding] = useState<OpenSession | "others" | null>(null);
  const nameOf = (one: OpenSession): string => shortAgent(one.agent) || t("unknownBrowser");
  const stop = () => setEnding(null);
  const columns: Column<OpenSession>[] = [
    {
      key: "browser",
      head: t("browser"),
      isName: true,
      cell: (one) => (
        <span className="flex items-center gap-2 whitespace-nowrap" title={one.agent}>
          {nameOf(one)}
          {one.is_current && <Badge tone="accent">{t("current")}</Badge>}
        </span>
      ),
    },
    { key: "address", head: t("address"), cell: (one) => <span className="tabular-nums">{one.address}</span> },
    { key: "seen", head: t("seen"), cell: (one) => <time dateTime={one.seen_at} title={exactMoment(one.seen_at)} className="whitespace-nowrap">{ago(one.seen_at)}</time> },
    { key: "begun", head: t("begun"), cell: (one) => <time dateTime={one.created_at} className="whitespace-nowrap">{moment(one.created_at)}</time> },
    {
      key: "end",
      head: <span className="sr-only">{t("end")}</span>,
      cell: (one) =>
        !one.is_current && (
          <Button tone="quiet" className="text-bad!" aria-label={t("endOf", { browser: nameOf(one) })} onClick={() => setEnding(one)}>
            {t("end")}
          </Button>
        ),
    },
  ];
  return (
    <Card>
      <div className="mb-4 flex flex-wrap items-end justify-between gap-3">
        <div>
          <h2>{t("sessions")}</h2>
          <p className="text-sm text-muted">{t("sessionsHint")}</p>
        </div>
        {sessions.data && sessions.data.length > 1 && <Button onClick={() => setEnding("others")}>{t("endOthers")}</Button>}
      </div>
      <Loaded of={sessions} skeleton={<TableSkeleton rows={2} />}>
        {(rows) => <Table label={t("sessions")} columns={columns} rows={rows} rowKey={(one) => one.id} />}
      </Loaded>
      {ending === "others" && (
        <AskDialog title={t("endOthers")} label={t("endOthers")} work={endOtherSessions} onClose={stop}>
          <p className="text-sm">{t("endOthersHint")}</p>
        </AskDialog>
      )}
      {ending !== null && ending !== "others" && (
        <AskDialog title={t("endTitle")} label={t("end")} work={(signal) => endSession(ending.id, signal)} onClose={stop}>
          <p className="text-sm">{t("endHint")}</p>
        </AskDialog>
      )}
    </Card>
  );
}
