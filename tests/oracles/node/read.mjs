// Reads a calendar from standard input with node-ical and prints its events as JSON, times as node-ical understood them.
import {readFileSync} from 'node:fs';
import ical from 'node-ical';

const pad = number => String(number).padStart(2, '0');

function local(moment) {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-CA', {
      timeZone: moment.tz ?? 'UTC', hourCycle: 'h23',
      year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
    }).formatToParts(moment).map(part => [part.type, part.value]));
  return `${parts.year}-${parts.month}-${parts.day} ${pad(parts.hour)}:${parts.minute}`;
}

const text = value => typeof value === 'object' ? value.val : value;

const events = Object.values(ical.sync.parseICS(readFileSync(0, 'utf8')))
  .filter(component => component.type === 'VEVENT')
  .map(event => ({
    uid: event.uid,
    start: event.start.toISOString(),
    end: event.end.toISOString(),
    local: local(event.start),
    summary: text(event.summary) ?? '',
    status: event.status ?? '',
  }));
console.log(JSON.stringify(events));
